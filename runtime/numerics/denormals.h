// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Denormals count as zero on every thread that computes (docs/numerics.md): the
// BF16 dot instruction does so whatever the mode is, so everything else must.

#ifndef DSV4_RUNTIME_NUMERICS_DENORMALS_H
#define DSV4_RUNTIME_NUMERICS_DENORMALS_H

#include <stdint.h>

namespace dsv4::num {

#if defined(__x86_64__)
inline uint64_t floatingMode() { return __builtin_ia32_stmxcsr(); }
inline void setFloatingMode(uint64_t mode) {
  __builtin_ia32_ldmxcsr(uint32_t(mode));
}
constexpr uint64_t FlushBits = 0x8040; // MXCSR: FTZ and DAZ
#elif defined(__aarch64__)
inline uint64_t floatingMode() {
  uint64_t mode;
  __asm__ volatile("mrs %0, fpcr" : "=r"(mode));
  return mode;
}
inline void setFloatingMode(uint64_t mode) {
  __asm__ volatile("msr fpcr, %0" : : "r"(mode));
}
constexpr uint64_t FlushBits = uint64_t(1) << 24; // FPCR: FZ, inputs too
#else
#error "how are denormals flushed on this machine?"
#endif

/// Flushes this thread's denormals, in and out, from here on.
inline void flushDenormals() { setFloatingMode(floatingMode() | FlushBits); }

/// The same while it lives.
class FlushDenormals {
public:
  FlushDenormals() : before(floatingMode()) { flushDenormals(); }
  ~FlushDenormals() { setFloatingMode(before); }
  FlushDenormals(const FlushDenormals &) = delete;
  FlushDenormals &operator=(const FlushDenormals &) = delete;

private:
  uint64_t before;
};

} // namespace dsv4::num

#endif // DSV4_RUNTIME_NUMERICS_DENORMALS_H
