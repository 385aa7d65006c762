# slabheap_freestanding(target): C++ that links without a C++ runtime.
function(slabheap_freestanding target)
  target_compile_options(${target} PRIVATE -ffreestanding -fno-exceptions -fno-rtti -fno-threadsafe-statics)
endfunction()
