// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Where a generated executable starts. Users have no crt1.o, so the runtime
// archive brings its own: it hands main, the arguments and the loader's exit
// function to __libc_start_main. With init == NULL, glibc 2.34 and newer runs
// the constructors itself.

  .text
  .globl _start
  .type _start, %function
#if defined(__x86_64__)
_start:
  .cfi_startproc
  .cfi_undefined rip
  xorl %ebp, %ebp
  movq %rdx, %r9       // rtld_fini
  popq %rsi            // argc
  movq %rsp, %rdx      // argv
  andq $-16, %rsp
  pushq %rax           // keeps the stack aligned at the call
  pushq %rsp           // stack_end
  xorl %r8d, %r8d      // fini
  xorl %ecx, %ecx      // init
  leaq main(%rip), %rdi
  call *__libc_start_main@GOTPCREL(%rip)
  hlt
  .cfi_endproc
#elif defined(__aarch64__)
_start:
  .cfi_startproc
  .cfi_undefined x30
  mov x29, #0
  mov x30, #0
  mov x5, x0           // rtld_fini
  ldr x1, [sp]         // argc
  add x2, sp, #8       // argv
  mov x6, sp           // stack_end
  adrp x0, main
  add x0, x0, :lo12:main
  mov x3, #0           // init
  mov x4, #0           // fini
  bl __libc_start_main
  brk #0
  .cfi_endproc
#else
#error "no start code for this machine"
#endif
  .size _start, . - _start

  .section .note.GNU-stack, "", %progbits
