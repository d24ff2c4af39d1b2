# cmake -D BUILD= -D SOURCE= -D PREFIX= -D COMPONENTS= -P install.cmake: installs the components into an empty folder and
# checks that its package names neither the source, the build folder nor a target that is not installed.
file(REMOVE_RECURSE ${PREFIX})
foreach(component IN LISTS COMPONENTS)
  execute_process(COMMAND ${CMAKE_COMMAND} --install ${BUILD} --prefix ${PREFIX} --component ${component}
    COMMAND_ERROR_IS_FATAL ANY)
endforeach()

file(GLOB_RECURSE package_files ${PREFIX}/cosformer*.cmake)
if(NOT package_files)
  message(FATAL_ERROR "${PREFIX} holds no package files")
endif()
foreach(file IN LISTS package_files)
  file(READ ${file} text)
  foreach(word kernels_ cosformer::io)
    string(FIND "${text}" "${word}" at)
    if(NOT at EQUAL -1)
      message(FATAL_ERROR "${file} names ${word}")
    endif()
  endforeach()
  foreach(folder ${SOURCE} ${BUILD})
    # A whole path: /cosformer may well be a part of another one.
    string(REGEX REPLACE "([][+.*()^])" "\\\\\\1" pattern "${folder}")
    if(text MATCHES "(^|[^A-Za-z0-9_.}-])${pattern}[/\"; \n]")
      message(FATAL_ERROR "${file} names ${folder}")
    endif()
  endforeach()
endforeach()
