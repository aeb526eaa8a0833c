// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Calls every wrapper that the architecture has, so that the assembler sees
// each of them. Not meant to be run.

#include "targets/cuda/device/ptx.h"

using namespace dsv4::cuda;

DSV4_DEVICE void syncs(Global<u32> g) {
  u32 lane = laneId() + warpId() + blockIdX() + blockIdY() + blockDimX() +
             gridDimX() + gridDimY();
  float f = shfl(float(lane), 3) + shflXor(1.0f, 4) + shflDown(2.0f, 1) +
            shflUp(3.0f, 1);
  u32 mask =
      laneBallot(f > 1) + u32(anyLane(f > 2)) + u32(allLanesAgree(f > 3));
  if (elect())
    redReleaseAdd(g.raw(), mask);
  syncWarp();
  syncThreads();
  barSync(1, 64);
  barArrive(2, 64);
  fenceAcqRelGpu();
  redRelaxedAdd(g.raw(), ldRelaxed(g.raw() + 1));
  g[2] = atomAddAcqRel(g.raw() + 3, 1) + ldAcquire(g.raw() + 4);
  stRelease(g.raw() + 5, 1);
  waitAtLeast(g.raw() + 6, 7);
  gridDepWait();
  gridDepLaunch();
  nanosleep(20);
  if (f > 100)
    trap();
}

DSV4_DEVICE void copies(Global<u32> g, Shared<u8> s) {
  Global<const u8> bytes = g.as<u8>();
  cpAsync16(s, bytes);
  cpAsync16(s + 16, bytes, 8);
  cpAsyncCommit();
  cpAsyncWait<1>();
  U32x4 v = ldNc16(bytes), w = ldStream16(bytes + 16);
  v[0] += w[0] + ldNc4(bytes);
  s.as<u32>().setVec<4>(0, v);
  g.setVec<4>(4, s.as<u32>().vec<4>(4));
  Shared<u64> bar = (s + 1024).as<u64>();
  mbarInit(bar, 1);
  mbarArrive(bar);
  atomAddShared(s.as<u32>(), atomMaxShared(s.as<u32>() + 1, 3));
  atomAddRelaxed(g.raw() + 7, 1);
#if DSV4_HAS_BULK
  fenceMbarInit();
  fenceProxyAsync();
  mbarArriveExpectTx(bar, 256);
  bulkG2S(s, bytes, 128, bar);
  bulkG2S(s + 128, bytes + 128, 128, bar, evictFirst);
  bulkPrefetchL2(bytes, 4096);
  if (!mbarTryWait(bar, 0))
    mbarWait(bar, 0);
#endif
}

DSV4_DEVICE void products(Global<float> out, Shared<u8> s) {
  float d[4] = {1, 2, 3, 4};
  u32 a[4], b[2], c[4], e[2];
  ldMatrixX4(a, s);
  ldMatrixX2(b, s);
  ldMatrixX4Trans(c, s);
  ldMatrixX2Trans(e, s);
  mmaF16(d, a, b);
  mmaBF16(d, c, e);
#if DSV4_HAS_FP8_MMA
  mmaE4M3(d, a, e);
#endif
#if DSV4_HAS_BLOCK_SCALE
  mmaBlockScaled<Mx::E4M3, Mx::E2M1>(d, a, b, 127, 127);
  mmaBlockScaled<Mx::E2M1, Mx::E4M3>(d, a, b, 127, 127);
  mmaBlockScaled<Mx::E4M3, Mx::E4M3>(d, a, b, 127, 127);
  mmaBlockScaled<Mx::E2M1, Mx::E2M1>(d, a, b, 127, 127);
#endif
  out.setVec<4>(4 * threadIdX(), {d[0], d[1], d[2], d[3]});
}

#if DSV4_HAS_WGMMA
template <int R> DSV4_DEVICE void groupProducts(Global<float> out) {
  float d[R] = {};
  u32 a[4] = {threadIdX(), 2, 3, 4};
  u64 b = bDescriptor(dynamicShared().addr(), Swizzle::B128, 1024);
  wgmmaFence();
  wgmmaE4M3(d, a, b, false);
  wgmmaF16(d, a, b, true);
  wgmmaBF16(d, a, b, true);
  wgmmaF16Trans(d, a, b, true);
  wgmmaBF16Trans(d, a, b, true);
  wgmmaCommit();
  wgmmaWait<0>();
  for (int i = 0; i < R; ++i)
    out[R * threadIdX() + i] = d[i];
}
#endif

extern "C" DSV4_KERNEL void DSV4_LAUNCH_BOUNDS(128, 1)
    everyWrapper(Global<u32> g, Global<float> out) {
  Shared<u8> s = dynamicShared();
  setMaxRegsDec<40>();
  setMaxRegsInc<160>();
  syncs(g);
  copies(g, s);
  products(out, s);
#if DSV4_HAS_WGMMA
  groupProducts<4>(out);
  groupProducts<8>(out);
  groupProducts<16>(out);
  groupProducts<32>(out);
  groupProducts<64>(out);
#endif
}
