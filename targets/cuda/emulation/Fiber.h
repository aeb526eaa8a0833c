// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Stackful fibres: a stack with a guard page, and a switch that saves what a
// call preserves. One operating-system thread runs them all. Own code for
// x86-64 and aarch64, ucontext elsewhere. A fibre may be abandoned at a switch;
// nothing on its stack is destroyed then.

#ifndef DSV4_TARGETS_CUDA_EMULATION_FIBER_H
#define DSV4_TARGETS_CUDA_EMULATION_FIBER_H

#include <cstddef>
#include <vector>

namespace dsv4::cuda::emu {

/// Stacks are kept and handed out again: a launch needs thousands.
class StackPool {
public:
  /// `bytes` is rounded up to pages; the guard page comes on top.
  explicit StackPool(size_t bytes);
  ~StackPool();
  StackPool(const StackPool &) = delete;
  StackPool &operator=(const StackPool &) = delete;

  /// The lowest usable byte, or null when the system has no memory left.
  char *take();
  void give(char *stack) { spare.push_back(stack); }
  size_t size() const { return bytes; }

private:
  size_t bytes, page;
  std::vector<char *> spare, all;
};

/// A place to continue at: of a fibre, or of the scheduler itself.
class Context {
public:
  Context() = default;
  ~Context();
  Context(const Context &) = delete;
  Context &operator=(const Context &) = delete;

  /// Prepares `entry(argument)`, which must not return, on a stack.
  void prepare(char *stack, size_t bytes, void (*entry)(void *),
               void *argument);
  /// Saves the present place here and continues at `to`. `dying`: this place
  /// is never continued.
  void switchTo(Context &to, bool dying = false);
  /// First statement on a new stack; sanitizers are told that it is running.
  static void arrived(Context &self);

private:
  void *place = nullptr; ///< stack pointer, or a ucontext_t
  // What only ucontext, AddressSanitizer and ThreadSanitizer need.
  [[maybe_unused]] void (*start)(void *) = nullptr;
  [[maybe_unused]] void *startArgument = nullptr;
  [[maybe_unused]] void *fake = nullptr;
  [[maybe_unused]] void *tsan = nullptr;
  const void *low = nullptr;
  size_t bytes = 0;
};

} // namespace dsv4::cuda::emu

#endif // DSV4_TARGETS_CUDA_EMULATION_FIBER_H
