// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// NVRTC's C interface behind prototypes of our own, and one program per
// compilation.

#include "targets/cuda/toolchain/NvrtcCompiler.h"

#include "targets/common/Sha256.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/ScopeExit.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"

using namespace llvm;

namespace dsv4::cuda {

using Program = struct NvrtcProgram *; // opaque
using Strings = const char *const *;

/// Result codes are ints, 0 is success.
struct NvrtcCompiler::Api {
  int (*version)(int *, int *);
  int (*numArchs)(int *);
  int (*archs)(int *);
  const char *(*errorString)(int);
  int (*create)(Program *, const char *, const char *, int, Strings, Strings);
  int (*destroy)(Program *);
  int (*compile)(Program, int, Strings);
  int (*addName)(Program, const char *);
  int (*loweredName)(Program, const char *, const char **);
  int (*logSize)(Program, size_t *);
  int (*log)(Program, char *);
  int (*ptxSize)(Program, size_t *);
  int (*ptx)(Program, char *);
  int (*cubinSize)(Program, size_t *);
  int (*cubin)(Program, char *);

  Error bind(const SharedLibrary &from);
};

Error NvrtcCompiler::Api::bind(const SharedLibrary &from) {
  Error errors = Error::success();
  auto one = [&](auto *&function, const char *name) {
    errors = joinErrors(std::move(errors), from.bind(function, name));
  };
  one(version, "nvrtcVersion");
  one(numArchs, "nvrtcGetNumSupportedArchs");
  one(archs, "nvrtcGetSupportedArchs");
  one(errorString, "nvrtcGetErrorString");
  one(create, "nvrtcCreateProgram");
  one(destroy, "nvrtcDestroyProgram");
  one(compile, "nvrtcCompileProgram");
  one(addName, "nvrtcAddNameExpression");
  one(loweredName, "nvrtcGetLoweredName");
  one(logSize, "nvrtcGetProgramLogSize");
  one(log, "nvrtcGetProgramLog");
  one(ptxSize, "nvrtcGetPTXSize");
  one(ptx, "nvrtcGetPTX");
  one(cubinSize, "nvrtcGetCUBINSize");
  one(cubin, "nvrtcGetCUBIN");
  return errors;
}

std::string NvrtcCompiler::version() const {
  return std::to_string(versionMajor) + "." + std::to_string(versionMinor);
}

// Without its builtins NVRTC opens, and fails at the first compilation. Some
// releases do not look for them beside themselves (the package of 13.0 has no
// search path of its own), so they are opened here: NVRTC then finds them by
// name among what is loaded.
static Error openBuiltins(const std::string &file, const std::string &version) {
  SmallString<256> builtins(sys::path::parent_path(file));
  sys::path::append(builtins, "libnvrtc-builtins.so." + version);
  if (!builtins.starts_with("/"))
    return Error::success(); // the loader's search is NVRTC's as well
  if (!sys::fs::exists(builtins))
    return createStringError("'" + file + "': '" + builtins +
                             "' is missing beside it");
  return SharedLibrary::open(builtins).takeError();
}

// The first and last 64 KiB (headers, symbols, section table) and the size tell
// two builds apart; hashing all 100 MB would take longer than most kernels.
static std::string identityOf(const std::string &file) {
  constexpr uint64_t part = 64 << 10;
  uint64_t size = 0;
  (void)sys::fs::file_size(file, size);
  Sha256 sha;
  for (uint64_t at : {uint64_t(0), size > part ? size - part : 0})
    if (auto bytes = MemoryBuffer::getFileSlice(file, std::min(size, part), at))
      sha.update((*bytes)->getBuffer());
  return std::to_string(size) + " " + toHex(sha.final(), /*LowerCase=*/true);
}

Expected<NvrtcCompiler> NvrtcCompiler::open(const LibraryPlace &place) {
  auto library = SharedLibrary::open(place.path);
  if (!library)
    return library.takeError();
  auto api = std::make_shared<Api>();
  if (Error error = api->bind(*library))
    return std::move(error);
  NvrtcCompiler compiler;
  compiler.file =
      SharedLibrary::fileOf(reinterpret_cast<const void *>(api->version));
  compiler.from = place.from;
  int count = 0;
  if (api->version(&compiler.versionMajor, &compiler.versionMinor) ||
      api->numArchs(&count) || count < 0 || count > 1000)
    return createStringError("'" + place.path + "': does not tell its version");
  compiler.architectures.resize(count);
  if (api->archs(compiler.architectures.data()))
    return createStringError("'" + place.path + "': lists no architectures");
  compiler.api = std::move(api);
  if (compiler.versionMajor < 12)
    return createStringError("'" + place.path + "': found version " +
                             compiler.version() + ", expected 12.0 or newer");
  if (Error error = openBuiltins(compiler.file, compiler.version()))
    return std::move(error);
  compiler.fileIdentity = compiler.version() + " " + identityOf(compiler.file);
  return std::move(compiler);
}

Expected<NvrtcCompiler> NvrtcCompiler::load(const ToolchainSearch &search) {
  // A newer NVRTC further down is better than one that lacks architectures.
  std::optional<NvrtcCompiler> old;
  std::vector<std::string> rejected;
  for (const LibraryPlace &place : findLibraries(search, "libnvrtc")) {
    auto compiler = open(place);
    if (!compiler) {
      std::string why = toString(compiler.takeError());
      // What the loader does not find was never there.
      if (place.from != "the loader")
        rejected.push_back(std::move(why));
      continue;
    }
    bool all = llvm::all_of(cudaTargets(), [&](const CudaTarget &target) {
      return !errorToBool(compiler->supports(target));
    });
    if (all)
      return std::move(*compiler);
    if (!old)
      old = std::move(*compiler);
  }
  if (old)
    return std::move(*old);
  return toolchainMissing(search, "libnvrtc", rejected);
}

Error NvrtcCompiler::supports(const CudaTarget &target) const {
  bool isNew = std::pair(versionMajor, versionMinor) >=
               std::pair(target.nvrtcMajor, target.nvrtcMinor);
  if (isNew && is_contained(architectures, target.major * 10 + target.minor))
    return Error::success();
  return createStringError(
      Twine(target.name) + " needs NVRTC " + Twine(target.nvrtcMajor) + "." +
      Twine(target.nvrtcMinor) + " or newer, found " + version() + " ('" +
      file + "'); 'pip install nvidia-cuda-nvrtc nvidia-nvjitlink' brings one");
}

std::vector<std::string> optionsOf(const CompileRequest &request) {
  // With an sm_ architecture NVRTC gives PTX (of the compute_ one) and cubin.
  std::vector<std::string> options = {
      "--gpu-architecture=" + request.arch,
      "--std=c++20",
      "--no-source-include", // nothing from the working directory
      std::string("--fmad=") + (request.contract ? "true" : "false"),
      std::string("--ftz=") + (request.flushDenormals ? "true" : "false"),
      "--prec-div=true",
      "--prec-sqrt=true",
      "--ptxas-options=-v",
  };
  llvm::append_range(options, request.options);
  return options;
}

namespace {
/// What NVRTC hands out in two calls, size and text; sizes of texts count the
/// zero behind them.
template <typename Size, typename Get>
std::string fetch(Program program, Size size, Get get, bool isText) {
  size_t bytes = 0;
  if (size(program, &bytes) || bytes == 0)
    return "";
  std::string out(bytes, '\0');
  if (get(program, out.data()))
    return "";
  if (isText)
    out.resize(StringRef(out).find('\0') == StringRef::npos ? bytes
                                                            : out.find('\0'));
  return out;
}

std::vector<const char *> pointers(const std::vector<std::string> &texts) {
  std::vector<const char *> out;
  for (const std::string &text : texts)
    out.push_back(text.c_str());
  return out;
}
} // namespace

Expected<CompileResult>
NvrtcCompiler::compile(const CompileRequest &request) const {
  auto target = findCudaTarget(request.arch);
  if (!target)
    return target.takeError();
  if (Error error = supports(**target))
    return std::move(error);
  auto fail = [&](const char *doing, int code, StringRef log = "") {
    return createStringError("NVRTC " + version() + " cannot " + doing + " '" +
                             request.name + "' for " + request.arch + ": " +
                             api->errorString(code) +
                             (log.empty() ? "" : "\n" + log.rtrim()));
  };
  if (StringRef(request.source).contains('\0'))
    return createStringError("'" + request.name +
                             "' has a zero byte, expected text");
  std::vector<const char *> names, texts;
  for (const auto &[name, text] : request.headers) {
    names.push_back(name.c_str());
    texts.push_back(text.c_str());
  }
  Program program = nullptr;
  if (int code =
          api->create(&program, request.source.c_str(), request.name.c_str(),
                      int(names.size()), texts.data(), names.data()))
    return fail("read", code);
  scope_exit destroy([&] { api->destroy(&program); });
  for (const std::string &name : request.nameExpressions)
    if (int code = api->addName(program, name.c_str()))
      return fail("name an instantiation in", code);

  std::vector<std::string> options = optionsOf(request);
  int code =
      api->compile(program, int(options.size()), pointers(options).data());
  CompileResult result;
  result.log = withoutTimes(fetch(program, api->logSize, api->log, true));
  if (code)
    return fail("compile", code, result.log);
  result.resources = parsePtxasLog(result.log);
  result.losses = performanceLosses(result.log);
  for (const std::string &name : request.nameExpressions) {
    const char *lowered = nullptr;
    if (int code = api->loweredName(program, name.c_str(), &lowered))
      return fail("find an instantiation in", code, name);
    result.symbols[name] = lowered;
  }
  if (request.wantPtx)
    result.ptx = fetch(program, api->ptxSize, api->ptx, true);
  if (request.wantCubin)
    result.cubin = fetch(program, api->cubinSize, api->cubin, false);
  if ((request.wantPtx && result.ptx.empty()) ||
      (request.wantCubin && result.cubin.empty()))
    return fail("get the code of", 0, "the result is empty");
  return result;
}

} // namespace dsv4::cuda
