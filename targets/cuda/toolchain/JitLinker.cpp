// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// nvJitLink's C interface behind prototypes of our own.

#include "targets/cuda/toolchain/JitLinker.h"

#include "llvm/ADT/ScopeExit.h"

using namespace llvm;

namespace dsv4::cuda {

using Link = struct NvJitLink *; // opaque
constexpr int inputPtx = 2;

/// Result codes are ints, 0 is success.
struct JitLinker::Api {
  int (*version)(unsigned *, unsigned *);
  int (*create)(Link *, uint32_t, const char **);
  int (*destroy)(Link *);
  int (*add)(Link, int, const void *, size_t, const char *);
  int (*complete)(Link);
  int (*cubinSize)(Link, size_t *);
  int (*cubin)(Link, void *);
  int (*errorSize)(Link, size_t *);
  int (*error)(Link, char *);
  int (*infoSize)(Link, size_t *);
  int (*info)(Link, char *);

  Error bind(const SharedLibrary &from);
};

Error JitLinker::Api::bind(const SharedLibrary &from) {
  Error errors = Error::success();
  auto one = [&](auto *&function, const char *name) {
    errors = joinErrors(std::move(errors), from.bind(function, name));
  };
  one(version, "nvJitLinkVersion");
  one(create, "nvJitLinkCreate");
  one(destroy, "nvJitLinkDestroy");
  one(add, "nvJitLinkAddData");
  one(complete, "nvJitLinkComplete");
  one(cubinSize, "nvJitLinkGetLinkedCubinSize");
  one(cubin, "nvJitLinkGetLinkedCubin");
  one(errorSize, "nvJitLinkGetErrorLogSize");
  one(error, "nvJitLinkGetErrorLog");
  one(infoSize, "nvJitLinkGetInfoLogSize");
  one(info, "nvJitLinkGetInfoLog");
  return errors;
}

Expected<JitLinker> JitLinker::open(const LibraryPlace &place) {
  auto library = SharedLibrary::open(place.path);
  if (!library)
    return library.takeError();
  auto api = std::make_shared<Api>();
  if (Error error = api->bind(*library))
    return std::move(error);
  JitLinker linker;
  if (api->version(&linker.versionMajor, &linker.versionMinor))
    return createStringError("'" + place.path + "': does not tell its version");
  linker.file =
      SharedLibrary::fileOf(reinterpret_cast<const void *>(api->version));
  linker.api = std::move(api);
  return std::move(linker);
}

Expected<JitLinker> JitLinker::load(const ToolchainSearch &search) {
  std::vector<std::string> rejected;
  for (const LibraryPlace &place : findLibraries(search, "libnvJitLink")) {
    auto linker = open(place);
    if (linker)
      return std::move(*linker);
    std::string why = toString(linker.takeError());
    if (place.from != "the loader")
      rejected.push_back(std::move(why));
  }
  return toolchainMissing(search, "libnvJitLink", rejected);
}

std::string JitLinker::version() const {
  return std::to_string(versionMajor) + "." + std::to_string(versionMinor);
}

/// A log in two calls, without the zero behind it.
static std::string fetch(Link link, int (*size)(Link, size_t *),
                         int (*get)(Link, char *)) {
  size_t bytes = 0;
  if (!link || size(link, &bytes) || bytes == 0)
    return "";
  std::string text(bytes, '\0');
  if (get(link, text.data()))
    return "";
  return text.c_str();
}

Expected<LinkedCubin> JitLinker::link(StringRef name,
                                      const std::vector<std::string> &ptx,
                                      StringRef arch) const {
  auto target = findCudaTarget(arch);
  if (!target)
    return target.takeError();
  if (std::pair(int(versionMajor), int(versionMinor)) <
      std::pair((*target)->nvrtcMajor, (*target)->nvrtcMinor))
    return createStringError(
        arch + " needs nvJitLink " + Twine((*target)->nvrtcMajor) + "." +
        Twine((*target)->nvrtcMinor) + " or newer, found " + version() + " ('" +
        file + "')");
  std::string archOption = "-arch=" + arch.str();
  const char *options[] = {archOption.c_str(), "-verbose"};
  Link link = nullptr;
  scope_exit destroy([&] {
    if (link)
      api->destroy(&link);
  });
  auto fail = [&](const char *doing) {
    return createStringError("nvJitLink " + version() + " cannot " + doing +
                             " '" + name + "' for " + arch + ": " +
                             fetch(link, api->errorSize, api->error));
  };
  if (api->create(&link, 2, options))
    return fail("begin");
  for (const std::string &text : ptx)
    // The zero behind the text is part of it.
    if (api->add(link, inputPtx, text.c_str(), text.size() + 1,
                 name.str().c_str()))
      return fail("assemble");
  if (api->complete(link))
    return fail("link");
  LinkedCubin result;
  size_t bytes = 0;
  if (api->cubinSize(link, &bytes) || bytes == 0)
    return fail("get the code of");
  result.cubin.resize(bytes);
  if (api->cubin(link, result.cubin.data()))
    return fail("get the code of");
  result.log = withoutTimes(fetch(link, api->infoSize, api->info));
  result.resources = parsePtxasLog(result.log);
  return result;
}

} // namespace dsv4::cuda
