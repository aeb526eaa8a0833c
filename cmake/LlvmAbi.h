// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Included first in every file that sees LLVM, in builds with asserts or a
// sanitizer. LLVM's libraries are release builds, and two things in its headers
// would differ from them: the size of statistics goes by NDEBUG, and its
// allocators poison memory that the libraries, which are not instrumented, then
// use. Both give reports of errors that are none.

#ifndef DSV4_CMAKE_LLVMABI_H
#define DSV4_CMAKE_LLVMABI_H

#include "llvm/Support/Compiler.h"

#if LLVM_ADDRESS_SANITIZER_BUILD
#define __asan_poison_memory_region(address, size)
#define __asan_unpoison_memory_region(address, size)
#endif

#ifndef NDEBUG
#define NDEBUG
#include "llvm/ADT/Statistic.h"
#undef NDEBUG
#endif

#endif // DSV4_CMAKE_LLVMABI_H
