// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The part of the CUDA driver's binary interface that the runtime uses, in
// declarations of our own: executables are built where no toolkit is. Where one
// is, test/unit/device/PrototypesTest.cpp compares every type, constant and
// prototype with its header.

#ifndef DSV4_RUNTIME_DEVICE_DRIVER_TYPES_H
#define DSV4_RUNTIME_DEVICE_DRIVER_TYPES_H

#include <stddef.h>
#include <stdint.h>

namespace dsv4::cuda {

using Result = int32_t;       // 0 is success
using DeviceNumber = int32_t; // of a device that init() has found
using Address = uint64_t;     // in the GPU's view

// Handles: pointers to things that the driver alone knows.
using Context = struct ContextObject *;
using Stream = struct StreamObject *;
using Event = struct EventObject *;
using Module = struct ModuleObject *;
using Function = struct FunctionObject *;
using GraphHandle = struct GraphObject *;
using GraphNode = struct GraphNodeObject *;
using GraphExec = struct GraphExecObject *;

enum : Result {
  Success = 0,
  InvalidValue = 1,
  NoMemory = 2,
  NotInitialized = 3,
  StubLibrary = 34,
  DeviceUnavailable = 46,
  NoDevice = 100,
  InvalidDevice = 101,
  InvalidImage = 200,
  InvalidContext = 201,
  NoBinaryForGpu = 209,
  InvalidPtx = 218,
  NoJitCompiler = 221,
  UnsupportedPtxVersion = 222,
  InvalidHandle = 400,
  NotFound = 500,
  NotReady = 600,
  IllegalAddress = 700,
  LaunchFailed = 719,
  NotSupported = 801,
  SystemNotReady = 802,
  DriverMismatch = 803,
  CompatNotSupported = 804,
  Unknown = 999,
};

enum DeviceAttribute : int32_t {
  MaxThreadsPerBlock = 1,
  MultiprocessorCount = 16,
  Integrated = 18,
  CanMapHostMemory = 19,
  CapabilityMajor = 75,
  CapabilityMinor = 76,
  PageableMemoryAccess = 88,
  MaxSharedPerBlockOptIn = 97,
  HostRegisterSupported = 99,
  ReadOnlyHostRegister = 113,
};

enum FunctionAttribute : int32_t {
  FunctionMaxThreads = 0,
  FunctionSharedBytes = 1, // static
  FunctionLocalBytes = 3,
  FunctionRegisters = 4,
  FunctionMaxDynamicShared = 8,
};

enum JitOption : int32_t { JitErrorLog = 5, JitErrorLogBytes = 6 };

enum : uint32_t {
  HostAllocDeviceMap = 2,
  HostRegisterDeviceMap = 2,
  HostRegisterReadOnly = 8,
  StreamNonBlocking = 1,
  EventTimed = 0,
  EventDisableTiming = 2,
};

enum MemoryType : int32_t { HostMemory = 1, DeviceMemoryType = 2 };

enum : uint8_t { // of an edge
  EdgeFull = 0,
  EdgeProgrammatic = 1,
  PortEnd = 0,         // when the kernel has ended
  PortProgrammatic = 1 // when all its blocks have said so, or ended
};

struct EdgeData {
  uint8_t fromPort, toPort, type, reserved[5];
};

struct KernelNodeParams {
  Function function;
  uint32_t gridX, gridY, gridZ;
  uint32_t blockX, blockY, blockZ;
  uint32_t sharedBytes;
  void **params;
  void **extra;
  void *kernel;
  Context context;
};

/// A copy of up to three dimensions: one end of it.
struct CopyEnd {
  size_t xInBytes, y, z, lod;
  MemoryType type;
  void *host;
  Address device;
  void *array;
  void *reserved;
  size_t pitch, height;
};

struct CopyParams {
  CopyEnd from, to;
  size_t widthInBytes, height, depth;
};

} // namespace dsv4::cuda

/// Every entry point in use: X(member, symbol, parameters). The symbol carries
/// the version of its prototype, because the plain names of old functions are
/// older interfaces. The youngest, cuGraphAddDependencies_v2, came with 12.3.
// clang-format off
#define DSV4_CUDA_ENTRIES(X)                                                   \
  X(init, cuInit, (uint32_t))                                                  \
  X(driverGetVersion, cuDriverGetVersion, (int32_t *))                         \
  X(getErrorName, cuGetErrorName, (Result, const char **))                     \
  X(getErrorString, cuGetErrorString, (Result, const char **))                 \
  X(deviceGetCount, cuDeviceGetCount, (int32_t *))                             \
  X(deviceGet, cuDeviceGet, (DeviceNumber *, int32_t))                         \
  X(deviceGetName, cuDeviceGetName, (char *, int32_t, DeviceNumber))           \
  X(deviceTotalMem, cuDeviceTotalMem_v2, (size_t *, DeviceNumber))             \
  X(deviceGetAttribute, cuDeviceGetAttribute,                                  \
    (int32_t *, DeviceAttribute, DeviceNumber))                                \
  X(primaryCtxRetain, cuDevicePrimaryCtxRetain, (Context *, DeviceNumber))     \
  X(primaryCtxRelease, cuDevicePrimaryCtxRelease_v2, (DeviceNumber))           \
  X(ctxSetCurrent, cuCtxSetCurrent, (Context))                                 \
  X(memGetInfo, cuMemGetInfo_v2, (size_t *, size_t *))                         \
  X(memAlloc, cuMemAlloc_v2, (Address *, size_t))                              \
  X(memFree, cuMemFree_v2, (Address))                                          \
  X(memHostAlloc, cuMemHostAlloc, (void **, size_t, uint32_t))                 \
  X(memFreeHost, cuMemFreeHost, (void *))                                      \
  X(memHostRegister, cuMemHostRegister_v2, (void *, size_t, uint32_t))         \
  X(memHostUnregister, cuMemHostUnregister, (void *))                          \
  X(memHostGetDevicePointer, cuMemHostGetDevicePointer_v2,                     \
    (Address *, void *, uint32_t))                                             \
  X(memcpyHtoDAsync, cuMemcpyHtoDAsync_v2,                                     \
    (Address, const void *, size_t, Stream))                                   \
  X(memcpyDtoHAsync, cuMemcpyDtoHAsync_v2, (void *, Address, size_t, Stream))  \
  X(memcpyDtoDAsync, cuMemcpyDtoDAsync_v2, (Address, Address, size_t, Stream)) \
  X(memsetD8Async, cuMemsetD8Async, (Address, uint8_t, size_t, Stream))        \
  X(streamCreate, cuStreamCreate, (Stream *, uint32_t))                        \
  X(streamSynchronize, cuStreamSynchronize, (Stream))                          \
  X(streamDestroy, cuStreamDestroy_v2, (Stream))                               \
  X(eventCreate, cuEventCreate, (Event *, uint32_t))                           \
  X(eventRecord, cuEventRecord, (Event, Stream))                               \
  X(eventSynchronize, cuEventSynchronize, (Event))                             \
  X(eventElapsedTime, cuEventElapsedTime, (float *, Event, Event))             \
  X(eventDestroy, cuEventDestroy_v2, (Event))                                  \
  X(moduleLoadDataEx, cuModuleLoadDataEx,                                      \
    (Module *, const void *, uint32_t, JitOption *, void **))                  \
  X(moduleUnload, cuModuleUnload, (Module))                                    \
  X(moduleGetFunction, cuModuleGetFunction, (Function *, Module, const char *))\
  X(funcGetAttribute, cuFuncGetAttribute,                                      \
    (int32_t *, FunctionAttribute, Function))                                  \
  X(funcSetAttribute, cuFuncSetAttribute,                                      \
    (Function, FunctionAttribute, int32_t))                                    \
  X(launchKernel, cuLaunchKernel,                                              \
    (Function, uint32_t, uint32_t, uint32_t, uint32_t, uint32_t, uint32_t,     \
     uint32_t, Stream, void **, void **))                                      \
  X(graphCreate, cuGraphCreate, (GraphHandle *, uint32_t))                     \
  X(graphAddKernelNode, cuGraphAddKernelNode_v2,                               \
    (GraphNode *, GraphHandle, const GraphNode *, size_t,                      \
     const KernelNodeParams *))                                                \
  X(graphAddMemcpyNode, cuGraphAddMemcpyNode,                                  \
    (GraphNode *, GraphHandle, const GraphNode *, size_t, const CopyParams *,  \
     Context))                                                                 \
  X(graphAddDependencies, cuGraphAddDependencies_v2,                           \
    (GraphHandle, const GraphNode *, const GraphNode *, const EdgeData *,      \
     size_t))                                                                  \
  X(graphInstantiate, cuGraphInstantiateWithFlags,                             \
    (GraphExec *, GraphHandle, unsigned long long))                            \
  X(graphUpload, cuGraphUpload, (GraphExec, Stream))                           \
  X(graphLaunch, cuGraphLaunch, (GraphExec, Stream))                           \
  X(graphExecDestroy, cuGraphExecDestroy, (GraphExec))                         \
  X(graphDestroy, cuGraphDestroy, (GraphHandle))
// clang-format on

#endif // DSV4_RUNTIME_DEVICE_DRIVER_TYPES_H
