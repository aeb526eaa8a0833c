// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The switch in assembly, stacks from mmap, and what the sanitizers must be
// told when a stack changes under them.

#include "targets/cuda/emulation/Fiber.h"

#include <cstdint>
#include <cstdlib>
#include <sys/mman.h>
#include <unistd.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define DSV4_FIBER_ASAN 1
#endif
#if __has_feature(thread_sanitizer)
#define DSV4_FIBER_TSAN 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define DSV4_FIBER_ASAN 1
#endif
#if defined(__SANITIZE_THREAD__)
#define DSV4_FIBER_TSAN 1
#endif

#ifdef DSV4_FIBER_ASAN
extern "C" void __sanitizer_start_switch_fiber(void **, const void *, size_t);
extern "C" void __sanitizer_finish_switch_fiber(void *, const void **,
                                                size_t *);
#endif
#ifdef DSV4_FIBER_TSAN
extern "C" void *__tsan_create_fiber(unsigned);
extern "C" void __tsan_destroy_fiber(void *);
extern "C" void *__tsan_get_current_fiber();
extern "C" void __tsan_switch_to_fiber(void *, unsigned);
#endif

// dsv4_emu_switch(save, load): pushes what the ABI says a callee preserves,
// exchanges stack pointers, pops. A new stack holds the same frame, prepared so
// that the pop leads into dsv4_emu_start with entry and argument in two of the
// preserved registers. Rounding modes are not saved: no fibre changes them.
#if defined(DSV4_FIBER_UCONTEXT) // to test it where own code exists
#include <ucontext.h>
#elif defined(__x86_64__)
#define DSV4_FIBER_ASM 1
asm(R"(
.text
.globl dsv4_emu_switch
.type dsv4_emu_switch, @function
dsv4_emu_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size dsv4_emu_switch, .-dsv4_emu_switch
.globl dsv4_emu_start
.type dsv4_emu_start, @function
dsv4_emu_start:
  movq %r12, %rdi
  callq *%rbx
  ud2
.size dsv4_emu_start, .-dsv4_emu_start
)");
static constexpr int frameWords = 7, entryWord = 4, argumentWord = 3,
                     returnWord = 6;
#elif defined(__aarch64__)
#define DSV4_FIBER_ASM 1
asm(R"(
.text
.globl dsv4_emu_switch
.type dsv4_emu_switch, %function
dsv4_emu_switch:
  sub sp, sp, #160
  stp x19, x20, [sp, #0]
  stp x21, x22, [sp, #16]
  stp x23, x24, [sp, #32]
  stp x25, x26, [sp, #48]
  stp x27, x28, [sp, #64]
  stp x29, x30, [sp, #80]
  stp d8, d9, [sp, #96]
  stp d10, d11, [sp, #112]
  stp d12, d13, [sp, #128]
  stp d14, d15, [sp, #144]
  mov x9, sp
  str x9, [x0]
  mov sp, x1
  ldp x19, x20, [sp, #0]
  ldp x21, x22, [sp, #16]
  ldp x23, x24, [sp, #32]
  ldp x25, x26, [sp, #48]
  ldp x27, x28, [sp, #64]
  ldp x29, x30, [sp, #80]
  ldp d8, d9, [sp, #96]
  ldp d10, d11, [sp, #112]
  ldp d12, d13, [sp, #128]
  ldp d14, d15, [sp, #144]
  add sp, sp, #160
  ret
.size dsv4_emu_switch, .-dsv4_emu_switch
.globl dsv4_emu_start
.type dsv4_emu_start, %function
dsv4_emu_start:
  mov x0, x20
  blr x19
  brk #1
.size dsv4_emu_start, .-dsv4_emu_start
)");
static constexpr int frameWords = 20, entryWord = 0, argumentWord = 1,
                     returnWord = 11;
#else
#include <ucontext.h>
#endif

#ifdef DSV4_FIBER_ASM
extern "C" void dsv4_emu_switch(void **save, void *load);
extern "C" void dsv4_emu_start();
#endif

namespace dsv4::cuda::emu {

StackPool::StackPool(size_t wanted) : page(size_t(sysconf(_SC_PAGESIZE))) {
#if defined(DSV4_FIBER_ASAN) || defined(DSV4_FIBER_TSAN)
  wanted *= 4; // red zones around every local
#endif
  bytes = (wanted + page - 1) / page * page;
}

StackPool::~StackPool() {
  for (char *stack : all)
    munmap(stack - page, bytes + page);
}

char *StackPool::take() {
  if (!spare.empty()) {
    char *stack = spare.back();
    spare.pop_back();
    return stack;
  }
  void *memory = mmap(nullptr, bytes + page, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED)
    return nullptr;
  // Without its guard a stack that is too small would corrupt its neighbour.
  if (mprotect(memory, page, PROT_NONE) != 0) {
    munmap(memory, bytes + page);
    return nullptr;
  }
  all.push_back(static_cast<char *>(memory) + page);
  return all.back();
}

Context::~Context() {
#ifdef DSV4_FIBER_TSAN
  if (tsan && low)
    __tsan_destroy_fiber(tsan);
#endif
#ifndef DSV4_FIBER_ASM
  delete static_cast<ucontext_t *>(place);
#endif
}

#ifndef DSV4_FIBER_ASM
// makecontext passes ints only, so a first switch says what to start here.
static void (*pendingEntry)(void *);
static void *pendingArgument;
static void startPending() { pendingEntry(pendingArgument); }
#endif

void Context::prepare(char *stack, size_t size, void (*entry)(void *),
                      void *argument) {
  low = stack;
  bytes = size;
#ifdef DSV4_FIBER_TSAN
  tsan = __tsan_create_fiber(0);
#endif
#ifdef DSV4_FIBER_ASM
  // Stacks start at different lines of a page: equal ones would all compete for
  // the same few sets of the cache. Popping the frame leaves a multiple of 16,
  // as a call needs it.
  static unsigned colour;
  size_t shift = 16 + colour++ % 16 * 256;
  auto **top = reinterpret_cast<void **>(stack + size - shift);
  void **frame = top - frameWords;
  for (int i = 0; i < frameWords; ++i)
    frame[i] = nullptr;
  frame[entryWord] = reinterpret_cast<void *>(entry);
  frame[argumentWord] = argument;
  frame[returnWord] = reinterpret_cast<void *>(&dsv4_emu_start);
  place = frame;
#else
  auto *context = new ucontext_t;
  getcontext(context);
  context->uc_stack.ss_sp = stack;
  context->uc_stack.ss_size = size;
  context->uc_link = nullptr;
  start = entry;
  startArgument = argument;
  makecontext(context, startPending, 0);
  place = context;
#endif
}

void Context::switchTo(Context &to, bool dying) {
#ifdef DSV4_FIBER_ASAN
  __sanitizer_start_switch_fiber(dying ? nullptr : &fake, to.low, to.bytes);
#endif
#ifdef DSV4_FIBER_TSAN
  if (!tsan)
    tsan = __tsan_get_current_fiber();
  __tsan_switch_to_fiber(to.tsan, 0);
#endif
#ifdef DSV4_FIBER_ASM
  dsv4_emu_switch(&place, to.place);
#else
  if (!place)
    place = new ucontext_t;
  pendingEntry = to.start;
  pendingArgument = to.startArgument;
  swapcontext(static_cast<ucontext_t *>(place),
              static_cast<ucontext_t *>(to.place));
#endif
#ifdef DSV4_FIBER_ASAN
  const void *otherLow;
  size_t otherBytes;
  __sanitizer_finish_switch_fiber(fake, &otherLow, &otherBytes);
#endif
  (void)dying;
}

void Context::arrived(Context &scheduler) {
#ifdef DSV4_FIBER_ASAN
  // The first switch tells where the scheduler's own stack lies.
  __sanitizer_finish_switch_fiber(nullptr, &scheduler.low, &scheduler.bytes);
#endif
  (void)scheduler;
}

} // namespace dsv4::cuda::emu
