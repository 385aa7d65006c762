# slabheap_warnings(target): the warnings that our own code is held to. Private: users of a target do not get them.
function(slabheap_warnings target)
  target_compile_options(
    ${target}
    PRIVATE -Wall
            -Wextra
            -Wpedantic
            -Wconversion
            -Wshadow
            -Wundef
            $<$<COMPILE_LANGUAGE:CXX>:-Wold-style-cast>
            $<$<COMPILE_LANGUAGE:CXX>:-Wmissing-declarations>
            $<$<COMPILE_LANGUAGE:C>:-Wstrict-prototypes>
            $<$<BOOL:${SLABHEAP_STRICT}>:-Werror>)
endfunction()
