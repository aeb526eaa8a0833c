// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Puts the runtime archive into compile-model. The build defines
// DSV4_RUNTIME_ARCHIVE as its path and rebuilds this file when it changes.

  .section .rodata
  .balign 16
  .globl dsv4_embedded_runtime
dsv4_embedded_runtime:
  .incbin DSV4_RUNTIME_ARCHIVE
  .globl dsv4_embedded_runtime_end
dsv4_embedded_runtime_end:
  .byte 0

  .section .note.GNU-stack, "", %progbits
