// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A libcuda.so.1 without a GPU: the entry points that runtime/device uses, each
// checking its arguments as strictly as the documentation allows. Releasing
// something works even when the call fails, as with the real driver, whose
// errors there are those of earlier work. An image of code is text:
//   fake-cubin ARCH IS_SPECIFIC DRIVER        or PTX that begins with .version
//   kernel NAME REGISTERS LOCAL SHARED THREADS PARAMS
// Built once more with FAKE_CUDA_OLD, it is a driver that lacks a function.

#include "FakeEntry.h"

#include <cstdio>
#include <cstring>
#include <sstream>

using namespace fakecuda;

namespace {

/// At the end of the process: what a test or a program has left behind.
struct Farewell {
  Farewell() { machine(); } // made before, so gone after
  ~Farewell() {
    for (const std::string &one : machine().misuse())
      fprintf(stderr, "fake cuda: misuse: %s\n", one.c_str());
    for (const std::string &one : machine().leaks())
      fprintf(stderr, "fake cuda: leak: %s\n", one.c_str());
  }
} farewell;

} // namespace

EXPORT Control *fakeCudaControl() { return &machine(); }

// Driver and device

EXPORT Result cuInit(uint32_t flags) {
  ENTER(cuInit, false)
  if (flags)
    return m.misused("cuInit: flags");
  m.isInitialised = m.set.init == Success;
  return m.set.init;
}

EXPORT Result cuDriverGetVersion(int32_t *version) {
  ENTER(cuDriverGetVersion, false)
  *version = m.set.driver;
  return Success;
}

EXPORT Result cuGetErrorName(Result result, const char **text) {
  *text = result == NoMemory         ? "CUDA_ERROR_OUT_OF_MEMORY"
          : result == IllegalAddress ? "CUDA_ERROR_ILLEGAL_ADDRESS"
                                     : "CUDA_ERROR_OF_THE_FAKE";
  return result == Unknown ? InvalidValue : Success;
}

EXPORT Result cuGetErrorString(Result result, const char **text) {
  *text = result == NoMemory ? "out of memory" : "an error of the fake";
  return result == Unknown ? InvalidValue : Success;
}

EXPORT Result cuDeviceGetCount(int32_t *count) {
  ENTER(cuDeviceGetCount, false)
  if (!m.isInitialised)
    return m.misused("a call before cuInit", NotInitialized);
  *count = m.set.devices;
  return Success;
}

EXPORT Result cuDeviceGet(DeviceNumber *device, int32_t number) {
  ENTER(cuDeviceGet, false)
  if (number < 0 || number >= m.set.devices)
    return m.misused("cuDeviceGet: no such device", InvalidDevice);
  *device = number + 100; // not the number that the user gave
  return Success;
}

EXPORT Result cuDeviceGetName(char *name, int32_t size, DeviceNumber) {
  ENTER(cuDeviceGetName, false)
  snprintf(name, size_t(size), "Fake GPU");
  return Success;
}

EXPORT Result cuDeviceTotalMem_v2(size_t *bytes, DeviceNumber) {
  ENTER(cuDeviceTotalMem_v2, false)
  *bytes = m.set.totalBytes;
  return Success;
}

EXPORT Result cuDeviceGetAttribute(int32_t *value, DeviceAttribute attribute,
                                   DeviceNumber device) {
  ENTER(cuDeviceGetAttribute, false)
  if (device < 100)
    return m.misused("cuDeviceGetAttribute: not a device", InvalidDevice);
  const std::map<DeviceAttribute, int32_t> values = {
      {MaxThreadsPerBlock, 1024},
      {MultiprocessorCount, m.set.multiprocessors},
      {Integrated, 0},
      {CanMapHostMemory, m.set.canMapHost},
      {CapabilityMajor, m.set.capability / 10},
      {CapabilityMinor, m.set.capability % 10},
      {MaxSharedPerBlockOptIn, m.set.sharedPerBlock},
      {HostRegisterSupported, 1},
      {ReadOnlyHostRegister, m.set.canMapReadOnly},
      {PageableMemoryAccess, m.set.canReadPages}};
  auto found = values.find(attribute);
  if (found == values.end())
    return m.misused("cuDeviceGetAttribute: attribute that is not known");
  *value = found->second;
  return Success;
}

EXPORT Result cuDevicePrimaryCtxRetain(Context *context, DeviceNumber) {
  ENTER(cuDevicePrimaryCtxRetain, false)
  ++m.retained;
  *context = reinterpret_cast<Context>(&m.retained);
  return Success;
}

EXPORT Result cuDevicePrimaryCtxRelease_v2(DeviceNumber) {
  Machine &m = machine();
  Result failed = m.enter("cuDevicePrimaryCtxRelease_v2", false);
  if (m.retained < 1)
    return m.misused("release of a context that is not there");
  --m.retained;
  return failed;
}

EXPORT Result cuCtxSetCurrent(Context context) {
  Machine &m = machine();
  Result failed = m.enter("cuCtxSetCurrent", false);
  // To be without one works always.
  if (failed && context)
    return failed;
  m.isCurrent = context != nullptr;
  return failed;
}

// Memory

EXPORT Result cuMemGetInfo_v2(size_t *left, size_t *total) {
  ENTER(cuMemGetInfo_v2, true)
  *left = m.set.freeBytes - m.taken;
  *total = m.set.totalBytes;
  return Success;
}

EXPORT Result cuMemAlloc_v2(Address *address, size_t bytes) {
  ENTER(cuMemAlloc_v2, true)
  return m.allocate(Block::OfDevice, bytes, nullptr, *address);
}

EXPORT Result cuMemFree_v2(Address address) {
  ENTER_RELEASE(cuMemFree_v2)
  Result result = m.free(Block::OfDevice, address);
  return result ? result : failed;
}

EXPORT Result cuMemHostAlloc(void **host, size_t bytes, uint32_t flags) {
  ENTER(cuMemHostAlloc, true)
  Address address = 0;
  if (flags & ~HostAllocDeviceMap)
    return m.misused("cuMemHostAlloc: flags");
  if (Result result = m.allocate(Block::Pinned, bytes, nullptr, address))
    return result;
  *host = m.peek(address);
  return Success;
}

EXPORT Result cuMemFreeHost(void *host) {
  ENTER_RELEASE(cuMemFreeHost)
  Result result = m.free(Block::Pinned, m.addressOf(host, 1));
  return result ? result : failed;
}

EXPORT Result cuMemHostRegister_v2(void *host, size_t bytes, uint32_t flags) {
  ENTER(cuMemHostRegister_v2, true)
  Address address = 0;
  if (flags & HostRegisterReadOnly && !m.set.canMapReadOnly)
    return NotSupported;
  if (uintptr_t(host) % 4096 || bytes % 4096)
    return m.misused("cuMemHostRegister: no whole pages");
  if (!(flags & HostRegisterReadOnly)) // all that is registered is a file
    return m.misused("cuMemHostRegister: a read-only file for writing");
  return m.allocate(Block::Registered, bytes, host, address);
}

EXPORT Result cuMemHostUnregister(void *host) {
  ENTER_RELEASE(cuMemHostUnregister)
  Result result = m.free(Block::Registered, m.addressOf(host, 1));
  return result ? result : failed;
}

EXPORT Result cuMemHostGetDevicePointer_v2(Address *address, void *host,
                                           uint32_t flags) {
  ENTER(cuMemHostGetDevicePointer_v2, true)
  *address = m.addressOf(host, 1);
  if (!*address || flags)
    return m.misused("cuMemHostGetDevicePointer: memory that is not pinned");
  return Success;
}

EXPORT Result cuMemcpyHtoDAsync_v2(Address to, const void *from, size_t bytes,
                                   Stream stream) {
  ENTER(cuMemcpyHtoDAsync_v2, true)
  FakeNode node{"copy to the device"};
  node.from = m.addressOf(from, bytes);
  node.to = to;
  node.bytes = bytes;
  if (!node.from)
    return m.misused("a copy from memory that is not pinned");
  if (!m.find(to, bytes, "copy to the device"))
    return InvalidValue;
  return m.push(streamOf(stream), {node});
}

EXPORT Result cuMemcpyDtoHAsync_v2(void *to, Address from, size_t bytes,
                                   Stream stream) {
  ENTER(cuMemcpyDtoHAsync_v2, true)
  FakeNode node{"copy to the host"};
  node.from = from;
  node.to = m.addressOf(to, bytes);
  node.bytes = bytes;
  if (!node.to)
    return m.misused("a copy to memory that is not pinned");
  if (!m.find(from, bytes, "copy to the host"))
    return InvalidValue;
  return m.push(streamOf(stream), {node});
}

EXPORT Result cuMemcpyDtoDAsync_v2(Address to, Address from, size_t bytes,
                                   Stream stream) {
  ENTER(cuMemcpyDtoDAsync_v2, true)
  FakeNode node{"copy on the device"};
  node.from = from;
  node.to = to;
  node.bytes = bytes;
  if (!m.find(from, bytes, node.name) || !m.find(to, bytes, node.name))
    return InvalidValue;
  if (from < to + bytes && to < from + bytes)
    return m.misused("a copy onto itself");
  return m.push(streamOf(stream), {node});
}

EXPORT Result cuMemsetD8Async(Address to, uint8_t value, size_t bytes,
                              Stream stream) {
  ENTER(cuMemsetD8Async, true)
  FakeNode node{"memset"};
  node.to = to;
  node.bytes = bytes;
  node.value = value;
  if (bytes == 0 || !m.find(to, bytes, "memset"))
    return m.misused("memset of nothing");
  return m.push(streamOf(stream), {node});
}

// Modules

namespace {

Result parseHeader(Machine &m, std::istream &text, const char *image) {
  std::string word;
  int arch = 0, specific = 0, driver = 0;
  text >> word;
  if (word == ".version")
    return strstr(image, "syntax-error") ? InvalidPtx : Success;
  if (word != "fake-cubin" || !(text >> arch >> specific >> driver))
    return InvalidImage;
  int cc = m.set.capability;
  bool fits = specific ? arch == cc : arch / 10 == cc / 10 && arch <= cc;
  return fits && driver <= m.set.driver ? Success : NoBinaryForGpu;
}

void parseKernels(Machine &m, std::istream &text, FakeModule *module) {
  for (std::string word; text >> word;) {
    if (word != "kernel")
      continue;
    auto *f = new FakeFunction{module};
    text >> f->name >> f->registers >> f->local >> f->shared >> f->threads >>
        f->params;
    m.functions.insert(f);
  }
}

} // namespace

EXPORT Result cuModuleLoadDataEx(Module *module, const void *image,
                                 uint32_t count, JitOption *options,
                                 void **values) {
  ENTER(cuModuleLoadDataEx, true)
  if (playground) {
    Result result = playground->load();
    return result ? result : create(m.modules, module, new FakeModule);
  }
  const char *data = static_cast<const char *>(image);
  std::istringstream text(data);
  Result result = parseHeader(m, text, data);
  char *log = nullptr;
  size_t size = 0;
  for (uint32_t i = 0; i < count; ++i) {
    if (options[i] == JitErrorLog)
      log = static_cast<char *>(values[i]);
    if (options[i] == JitErrorLogBytes)
      size = reinterpret_cast<size_t>(values[i]);
  }
  if (result == InvalidPtx && log)
    snprintf(log, size, "ptxas: line 3: syntax error near 'x'\nptxas: fatal");
  if (result)
    return result;
  auto *one = new FakeModule;
  parseKernels(m, text, one);
  return create(m.modules, module, one);
}

EXPORT Result cuModuleUnload(Module module) {
  ENTER_RELEASE(cuModuleUnload)
  return destroy(m, m.modules, module, failed, "module");
}

EXPORT Result cuModuleGetFunction(Function *function, Module module,
                                  const char *name) {
  ENTER(cuModuleGetFunction, true)
  if (playground)
    if (Result result =
            playground->find(m, reinterpret_cast<FakeModule *>(module), name))
      return result;
  for (FakeFunction *one : m.functions)
    if (one->module == reinterpret_cast<FakeModule *>(module) &&
        one->name == name) {
      *function = reinterpret_cast<Function>(one);
      return Success;
    }
  return NotFound;
}

EXPORT Result cuFuncGetAttribute(int32_t *value, FunctionAttribute attribute,
                                 Function function) {
  ENTER(cuFuncGetAttribute, true)
  auto *one = reinterpret_cast<FakeFunction *>(function);
  if (!m.has(m.functions, one))
    return m.misused("attribute of an unknown function", InvalidHandle);
  switch (attribute) {
  case FunctionMaxThreads:
    *value = one->threads;
    return Success;
  case FunctionSharedBytes:
    *value = one->shared;
    return Success;
  case FunctionLocalBytes:
    *value = one->local;
    return Success;
  case FunctionRegisters:
    *value = one->registers;
    return Success;
  default:
    return m.misused("attribute of a function that is not known");
  }
}

EXPORT Result cuFuncSetAttribute(Function function, FunctionAttribute attribute,
                                 int32_t value) {
  ENTER(cuFuncSetAttribute, true)
  auto *one = reinterpret_cast<FakeFunction *>(function);
  if (!m.has(m.functions, one) || attribute != FunctionMaxDynamicShared ||
      one->shared + value > m.set.sharedPerBlock)
    return m.misused("cuFuncSetAttribute: what cannot be");
  one->maxDynamicShared = value;
  return Success;
}
