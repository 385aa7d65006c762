# Libraries, header, CMake package and pkg-config file. Nothing of it names the place it was built or installed in.
include(CMakePackageConfigHelpers)

install(
  TARGETS ${SLABHEAP_LIBRARIES}
  EXPORT slabheap
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(FILES capi/include/slabheap/slabheap.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/slabheap)

set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/slabheap)
install(EXPORT slabheap NAMESPACE slabheap:: DESTINATION ${package_folder})
configure_package_config_file(
  cmake/slabheapConfig.cmake.in ${PROJECT_BINARY_DIR}/slabheapConfig.cmake INSTALL_DESTINATION ${package_folder}
  NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/slabheapConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/slabheapConfig.cmake ${PROJECT_BINARY_DIR}/slabheapConfigVersion.cmake
        DESTINATION ${package_folder})

# The file stands in LIBDIR/pkgconfig; from there to the prefix is as many steps up as LIBDIR has parts, and one.
string(REGEX REPLACE "[^/]+" ".." up_from_libdir "${CMAKE_INSTALL_LIBDIR}")
set(SLABHEAP_PC_PREFIX "\${pcfiledir}/../${up_from_libdir}")
configure_file(cmake/slabheap.pc.in ${PROJECT_BINARY_DIR}/slabheap.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/slabheap.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
