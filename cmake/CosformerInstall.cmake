# Installation. Components kernels (std only), ops and nn (LibTorch), each its own export set, and cli.
include(CMakePackageConfigHelpers)
set(cosformer_package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/cosformer)

# cosformer_install(component): library, export set and the headers below include/cosformer/<component>.
function(cosformer_install component)
  set_target_properties(cosformer_${component} PROPERTIES INSTALL_RPATH "$ORIGIN" INSTALL_RPATH_USE_LINK_PATH ON)
  install(TARGETS cosformer_${component} EXPORT cosformer_${component}
    ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT ${component}
    LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT ${component})
  install(EXPORT cosformer_${component} NAMESPACE cosformer:: FILE cosformer_${component}.cmake
    DESTINATION ${cosformer_package_dir} COMPONENT ${component})
  install(DIRECTORY include/cosformer/${component} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/cosformer
    COMPONENT ${component} OPTIONAL FILES_MATCHING PATTERN "*.h")
endfunction()

cosformer_install(kernels)
file(GLOB kernel_headers CONFIGURE_DEPENDS include/cosformer/*.h)
install(FILES ${kernel_headers} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/cosformer COMPONENT kernels)
configure_package_config_file(cmake/cosformerConfig.cmake.in cosformerConfig.cmake
  INSTALL_DESTINATION ${cosformer_package_dir} NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(cosformerConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/cosformerConfig.cmake ${CMAKE_CURRENT_BINARY_DIR}/cosformerConfigVersion.cmake
  DESTINATION ${cosformer_package_dir} COMPONENT kernels)
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT kernels)

if(COSFORMER_BUILD_OPS)
  cosformer_install(ops)
  install(FILES cmake/FindLibTorch.cmake DESTINATION ${cosformer_package_dir} COMPONENT ops)
  cosformer_install(nn)
  set_target_properties(cosformer PROPERTIES
    INSTALL_RPATH "$ORIGIN/../${CMAKE_INSTALL_LIBDIR}" INSTALL_RPATH_USE_LINK_PATH ON)
  install(TARGETS cosformer RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT cli)
endif()
