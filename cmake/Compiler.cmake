# One compiler family, chosen for a measured reason (docs/decisions/0001-compiler.md).
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  message(FATAL_ERROR
    "GCC ${CMAKE_CXX_COMPILER_VERSION} is refused: it destroys some temporaries of an expression with co_await "
    "twice (docs/decisions/0001-compiler.md). Use clang 19: script/bootstrap installs it, script/build selects it.")
endif()
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin")
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

set(FUNCGATE_SANITIZE "" CACHE STRING "Sanitizers for everything, e.g. address,undefined")
option(FUNCGATE_FUZZ "Build the fuzz targets instead of the tests" OFF)

add_compile_options(-Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Wconversion -Wno-sign-conversion
                    -Wno-missing-field-initializers -Werror=return-type -Werror=switch -Werror=unused-result
                    -fstack-protector-strong -fno-omit-frame-pointer)
if(CMAKE_BUILD_TYPE STREQUAL "Release")
  add_compile_definitions(_FORTIFY_SOURCE=2)
  add_compile_options(-O2 -g1)
  # What nobody calls, twice the same code, and libraries of which nothing is used would lie in the memory of every server.
  add_link_options(-Wl,--as-needed -Wl,--gc-sections -Wl,--icf=safe)
endif()
if(CMAKE_BUILD_TYPE STREQUAL "RelWithDebInfo")
  add_compile_options(-O1 -g1)
endif()
if(FUNCGATE_SANITIZE)
  add_compile_options(-fsanitize=${FUNCGATE_SANITIZE} -fno-sanitize-recover=undefined)
  add_link_options(-fsanitize=${FUNCGATE_SANITIZE})
  if(FUNCGATE_FUZZ)
    add_compile_options(-fsanitize=fuzzer-no-link)
  endif()
endif()
add_link_options(-fuse-ld=lld -Wl,-z,relro,-z,now)
