// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The registers of Intel's matrix unit (AMX), which Linux gives a process only
// when it asks: 8 KiB more to save at every switch of threads.

#ifndef DSV4_RUNTIME_NUMERICS_TILE_REGISTERS_H
#define DSV4_RUNTIME_NUMERICS_TILE_REGISTERS_H

#if defined(__x86_64__) && defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace dsv4::num {

/// Asks for the tile registers, for all threads of this process. False: the
/// CPU has none, or the kernel (before Linux 5.16) or the hypervisor keeps
/// them.
inline bool requestTileRegisters() {
#if defined(__x86_64__) && defined(__linux__)
  constexpr int RequestPermission = 0x1023; // ARCH_REQ_XCOMP_PERM
  constexpr int TileData = 18;              // XSAVE component
  return syscall(SYS_arch_prctl, RequestPermission, TileData) == 0;
#else
  return false;
#endif
}

} // namespace dsv4::num

#endif // DSV4_RUNTIME_NUMERICS_TILE_REGISTERS_H
