# Functions that every layer uses, so that flags are stated once.
#
#   add_dsv4_runtime_library(NAME SRCS...)   no MLIR, no exceptions, no RTTI
#   add_dsv4_dialect(STEM PREFIX)            TableGen of a dialect's IR folder
#   add_dsv4_library(NAME SRCS... [LINK L...] [DEPENDS D...])   may see MLIR
#   add_dsv4_tool(NAME SRCS... [LINK L...])  lands in build/bin
#   add_dsv4_unittest(NAME SRCS... [LINK L...])  GoogleTest, run by ctest

# Contraction is off everywhere: every fused multiply-add is written as one,
# because the bits of a result are part of the contract (docs/numerics.md).
set(DSV4_FLAGS -Wall -Wextra -Wno-unused-parameter -ffp-contract=off)
set(DSV4_LINK_FLAGS)
if(DSV4_SANITIZE)
  string(REPLACE ";" "," _san "${DSV4_SANITIZE}")
  list(APPEND DSV4_FLAGS -fsanitize=${_san} -fno-omit-frame-pointer
       -fno-sanitize-recover=all)
  # LLVM's own objects are built without RTTI-based checks, and kernels that
  # tests load have no type in front of their code.
  list(APPEND DSV4_FLAGS -fno-sanitize=vptr,function)
  list(APPEND DSV4_LINK_FLAGS -fsanitize=${_san})
endif()

# The runtime ends up in executables that link libc and libm alone: nothing may
# call into the C++ library, and unused sections are dropped by the linker.
set(DSV4_RUNTIME_FLAGS -fno-exceptions -fno-rtti -fno-threadsafe-statics
    -ffunction-sections -fdata-sections -U_GLIBCXX_ASSERTIONS)

function(add_dsv4_runtime_library name)
  add_library(${name} STATIC ${ARGN})
  target_compile_options(${name} PRIVATE ${DSV4_FLAGS} ${DSV4_RUNTIME_FLAGS})
  target_include_directories(${name} PUBLIC ${CMAKE_SOURCE_DIR})
endfunction()

function(add_dsv4_dialect stem prefix)
  # Expects <stem>Dialect.td, <stem>Ops.td beside the calling CMakeLists; types
  # and attributes are optional files <stem>Types.td / <stem>Attrs.td.
  set(TABLEGEN_INCLUDES -I ${CMAKE_SOURCE_DIR} -I ${MLIR_INCLUDE_DIRS})
  set(LLVM_TARGET_DEFINITIONS ${stem}Ops.td)
  set(EXTRA_INCLUDES ${CMAKE_SOURCE_DIR})
  mlir_tablegen(${stem}Dialect.h.inc -gen-dialect-decls -dialect=${prefix}
                -I ${CMAKE_SOURCE_DIR})
  mlir_tablegen(${stem}Dialect.cpp.inc -gen-dialect-defs -dialect=${prefix}
                -I ${CMAKE_SOURCE_DIR})
  mlir_tablegen(${stem}Ops.h.inc -gen-op-decls -I ${CMAKE_SOURCE_DIR})
  mlir_tablegen(${stem}Ops.cpp.inc -gen-op-defs -I ${CMAKE_SOURCE_DIR})
  mlir_tablegen(${stem}Types.h.inc -gen-typedef-decls
                -typedefs-dialect=${prefix} -I ${CMAKE_SOURCE_DIR})
  mlir_tablegen(${stem}Types.cpp.inc -gen-typedef-defs
                -typedefs-dialect=${prefix} -I ${CMAKE_SOURCE_DIR})
  mlir_tablegen(${stem}Attrs.h.inc -gen-attrdef-decls
                -attrdefs-dialect=${prefix} -I ${CMAKE_SOURCE_DIR})
  mlir_tablegen(${stem}Attrs.cpp.inc -gen-attrdef-defs
                -attrdefs-dialect=${prefix} -I ${CMAKE_SOURCE_DIR})
  mlir_tablegen(${stem}Enums.h.inc -gen-enum-decls -I ${CMAKE_SOURCE_DIR})
  mlir_tablegen(${stem}Enums.cpp.inc -gen-enum-defs -I ${CMAKE_SOURCE_DIR})
  add_public_tablegen_target(${stem}IncGen)
endfunction()

function(_dsv4_mlir_flags name)
  target_compile_options(${name} PRIVATE ${DSV4_FLAGS})
  if(NOT CMAKE_BUILD_TYPE STREQUAL "Release")
    target_compile_options(${name} PRIVATE
      $<$<COMPILE_LANGUAGE:CXX>:-include${CMAKE_SOURCE_DIR}/cmake/LlvmAbi.h>)
  endif()
  target_include_directories(${name} PUBLIC ${CMAKE_SOURCE_DIR}
                             ${CMAKE_BINARY_DIR})
  target_include_directories(${name} SYSTEM PUBLIC ${LLVM_INCLUDE_DIRS}
                             ${MLIR_INCLUDE_DIRS} ${LLD_INCLUDE_DIRS})
  target_link_options(${name} PRIVATE ${DSV4_LINK_FLAGS})
endfunction()

function(add_dsv4_library name)
  cmake_parse_arguments(ARG "" "" "LINK;DEPENDS" ${ARGN})
  add_library(${name} STATIC ${ARG_UNPARSED_ARGUMENTS})
  _dsv4_mlir_flags(${name})
  target_link_libraries(${name} PUBLIC ${ARG_LINK} MLIR LLVM)
  if(ARG_DEPENDS)
    add_dependencies(${name} ${ARG_DEPENDS})
  endif()
endfunction()

function(add_dsv4_tool name)
  cmake_parse_arguments(ARG "" "" "LINK;DEPENDS" ${ARGN})
  add_executable(${name} ${ARG_UNPARSED_ARGUMENTS})
  _dsv4_mlir_flags(${name})
  target_link_libraries(${name} PRIVATE ${ARG_LINK} MLIR LLVM)
endfunction()

function(add_dsv4_unittest name)
  cmake_parse_arguments(ARG "" "" "LINK" ${ARGN})
  add_executable(${name} ${ARG_UNPARSED_ARGUMENTS})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY
                        ${CMAKE_BINARY_DIR}/test/unit)
  _dsv4_mlir_flags(${name})
  target_link_libraries(${name} PRIVATE ${ARG_LINK} GTest::gtest
                        GTest::gtest_main)
  target_compile_definitions(${name} PRIVATE
                             DSV4_SOURCE_DIR="${CMAKE_SOURCE_DIR}"
                             DSV4_BINARY_DIR="${CMAKE_BINARY_DIR}")
  add_test(NAME ${name} COMMAND ${name})
endfunction()
