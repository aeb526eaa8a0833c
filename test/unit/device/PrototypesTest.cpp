// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// driver_types.h against the toolkit's header, where that is installed: sizes
// and offsets of structs, values of constants, and of every entry point the
// number and kind of its parameters. All at compile time, but for a test that
// says so.

#include "runtime/device/driver_types.h"

#include <cuda.h>
#include <gtest/gtest.h>

#include <type_traits>

namespace {

namespace own = dsv4::cuda;

/// Passed alike: both pointers, or both integers (or enums) of one size.
template <typename A, typename B>
constexpr bool isSame =
    sizeof(A) == sizeof(B) && std::is_pointer_v<A> == std::is_pointer_v<B>;

template <typename A, typename B> constexpr bool isCompatible = false;
template <typename R, typename S, typename... A, typename... B>
  requires(sizeof...(A) == sizeof...(B))
constexpr bool isCompatible<R (*)(A...), S (*)(B...)> =
    isSame<R, S> && (isSame<A, B> && ...);

#define CHECK_PROTOTYPE(member, symbol, parameters)                            \
  static_assert(isCompatible<decltype(&::symbol), own::Result(*) parameters>,  \
                #symbol);

using namespace dsv4::cuda;
DSV4_CUDA_ENTRIES(CHECK_PROTOTYPE)

#define CHECK_FIELD(theirs, field, ours, member)                               \
  static_assert(offsetof(theirs, field) == offsetof(ours, member), #member)

static_assert(sizeof(CUgraphEdgeData) == sizeof(EdgeData));
CHECK_FIELD(CUgraphEdgeData, from_port, EdgeData, fromPort);
CHECK_FIELD(CUgraphEdgeData, to_port, EdgeData, toPort);
CHECK_FIELD(CUgraphEdgeData, type, EdgeData, type);

static_assert(sizeof(CUDA_KERNEL_NODE_PARAMS_v2) == sizeof(KernelNodeParams));
CHECK_FIELD(CUDA_KERNEL_NODE_PARAMS_v2, func, KernelNodeParams, function);
CHECK_FIELD(CUDA_KERNEL_NODE_PARAMS_v2, gridDimX, KernelNodeParams, gridX);
CHECK_FIELD(CUDA_KERNEL_NODE_PARAMS_v2, blockDimX, KernelNodeParams, blockX);
CHECK_FIELD(CUDA_KERNEL_NODE_PARAMS_v2, sharedMemBytes, KernelNodeParams,
            sharedBytes);
CHECK_FIELD(CUDA_KERNEL_NODE_PARAMS_v2, kernelParams, KernelNodeParams, params);
CHECK_FIELD(CUDA_KERNEL_NODE_PARAMS_v2, extra, KernelNodeParams, extra);
CHECK_FIELD(CUDA_KERNEL_NODE_PARAMS_v2, ctx, KernelNodeParams, context);

static_assert(sizeof(CUDA_MEMCPY3D) == sizeof(CopyParams));
CHECK_FIELD(CUDA_MEMCPY3D, srcMemoryType, CopyParams, from.type);
CHECK_FIELD(CUDA_MEMCPY3D, srcHost, CopyParams, from.host);
CHECK_FIELD(CUDA_MEMCPY3D, srcDevice, CopyParams, from.device);
CHECK_FIELD(CUDA_MEMCPY3D, srcPitch, CopyParams, from.pitch);
CHECK_FIELD(CUDA_MEMCPY3D, srcHeight, CopyParams, from.height);
CHECK_FIELD(CUDA_MEMCPY3D, dstMemoryType, CopyParams, to.type);
CHECK_FIELD(CUDA_MEMCPY3D, dstHost, CopyParams, to.host);
CHECK_FIELD(CUDA_MEMCPY3D, dstDevice, CopyParams, to.device);
CHECK_FIELD(CUDA_MEMCPY3D, dstPitch, CopyParams, to.pitch);
CHECK_FIELD(CUDA_MEMCPY3D, WidthInBytes, CopyParams, widthInBytes);
CHECK_FIELD(CUDA_MEMCPY3D, Height, CopyParams, height);
CHECK_FIELD(CUDA_MEMCPY3D, Depth, CopyParams, depth);

#define CHECK_VALUE(theirs, ours) static_assert(int(theirs) == int(ours), #ours)
CHECK_VALUE(CUDA_ERROR_INVALID_VALUE, InvalidValue);
CHECK_VALUE(CUDA_ERROR_OUT_OF_MEMORY, NoMemory);
CHECK_VALUE(CUDA_ERROR_NOT_INITIALIZED, NotInitialized);
CHECK_VALUE(CUDA_ERROR_STUB_LIBRARY, StubLibrary);
CHECK_VALUE(CUDA_ERROR_DEVICE_UNAVAILABLE, DeviceUnavailable);
CHECK_VALUE(CUDA_ERROR_NO_DEVICE, NoDevice);
CHECK_VALUE(CUDA_ERROR_INVALID_DEVICE, InvalidDevice);
CHECK_VALUE(CUDA_ERROR_INVALID_IMAGE, InvalidImage);
CHECK_VALUE(CUDA_ERROR_INVALID_CONTEXT, InvalidContext);
CHECK_VALUE(CUDA_ERROR_NO_BINARY_FOR_GPU, NoBinaryForGpu);
CHECK_VALUE(CUDA_ERROR_INVALID_PTX, InvalidPtx);
CHECK_VALUE(CUDA_ERROR_JIT_COMPILER_NOT_FOUND, NoJitCompiler);
CHECK_VALUE(CUDA_ERROR_UNSUPPORTED_PTX_VERSION, UnsupportedPtxVersion);
CHECK_VALUE(CUDA_ERROR_INVALID_HANDLE, InvalidHandle);
CHECK_VALUE(CUDA_ERROR_NOT_FOUND, NotFound);
CHECK_VALUE(CUDA_ERROR_NOT_READY, NotReady);
CHECK_VALUE(CUDA_ERROR_ILLEGAL_ADDRESS, IllegalAddress);
CHECK_VALUE(CUDA_ERROR_LAUNCH_FAILED, LaunchFailed);
CHECK_VALUE(CUDA_ERROR_NOT_SUPPORTED, NotSupported);
CHECK_VALUE(CUDA_ERROR_SYSTEM_NOT_READY, SystemNotReady);
CHECK_VALUE(CUDA_ERROR_SYSTEM_DRIVER_MISMATCH, DriverMismatch);
CHECK_VALUE(CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE, CompatNotSupported);
CHECK_VALUE(CUDA_ERROR_UNKNOWN, Unknown);
CHECK_VALUE(CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK, MaxThreadsPerBlock);
CHECK_VALUE(CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, MultiprocessorCount);
CHECK_VALUE(CU_DEVICE_ATTRIBUTE_INTEGRATED, Integrated);
CHECK_VALUE(CU_DEVICE_ATTRIBUTE_CAN_MAP_HOST_MEMORY, CanMapHostMemory);
CHECK_VALUE(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, CapabilityMajor);
CHECK_VALUE(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, CapabilityMinor);
CHECK_VALUE(CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN,
            MaxSharedPerBlockOptIn);
CHECK_VALUE(CU_DEVICE_ATTRIBUTE_HOST_REGISTER_SUPPORTED, HostRegisterSupported);
CHECK_VALUE(CU_DEVICE_ATTRIBUTE_READ_ONLY_HOST_REGISTER_SUPPORTED,
            ReadOnlyHostRegister);
CHECK_VALUE(CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK, FunctionMaxThreads);
CHECK_VALUE(CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES, FunctionSharedBytes);
CHECK_VALUE(CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES, FunctionLocalBytes);
CHECK_VALUE(CU_FUNC_ATTRIBUTE_NUM_REGS, FunctionRegisters);
CHECK_VALUE(CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES,
            FunctionMaxDynamicShared);
CHECK_VALUE(CU_JIT_ERROR_LOG_BUFFER, JitErrorLog);
CHECK_VALUE(CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES, JitErrorLogBytes);
CHECK_VALUE(CU_MEMHOSTALLOC_DEVICEMAP, HostAllocDeviceMap);
CHECK_VALUE(CU_MEMHOSTREGISTER_DEVICEMAP, HostRegisterDeviceMap);
CHECK_VALUE(CU_MEMHOSTREGISTER_READ_ONLY, HostRegisterReadOnly);
CHECK_VALUE(CU_STREAM_NON_BLOCKING, StreamNonBlocking);
CHECK_VALUE(CU_EVENT_DEFAULT, EventTimed);
CHECK_VALUE(CU_EVENT_DISABLE_TIMING, EventDisableTiming);
CHECK_VALUE(CU_MEMORYTYPE_HOST, HostMemory);
CHECK_VALUE(CU_MEMORYTYPE_DEVICE, DeviceMemoryType);
CHECK_VALUE(CU_GRAPH_DEPENDENCY_TYPE_DEFAULT, EdgeFull);
CHECK_VALUE(CU_GRAPH_DEPENDENCY_TYPE_PROGRAMMATIC, EdgeProgrammatic);
CHECK_VALUE(CU_GRAPH_KERNEL_NODE_PORT_DEFAULT, PortEnd);
CHECK_VALUE(CU_GRAPH_KERNEL_NODE_PORT_PROGRAMMATIC, PortProgrammatic);

TEST(Prototypes, AreThoseOfTheToolkitsHeader) {
  // Whether this header has the versions that the names say.
  EXPECT_GE(CUDA_VERSION, 12030);
}

} // namespace
