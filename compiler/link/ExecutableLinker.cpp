// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One LLD run. Inputs live in anonymous memory files, so the only thing on disk
// is LLD's output in the temporary folder, which is read back and removed.

#include "compiler/link/ExecutableLinker.h"

#include "lld/Common/Driver.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/BinaryFormat/ELF.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Signals.h"
#include "llvm/Support/raw_ostream.h"

#include <cerrno>
#include <cstring>
#include <memory>
#include <sys/mman.h>
#include <unistd.h>

LLD_HAS_DRIVER(elf)

using namespace llvm;

extern "C" const char dsv4_embedded_runtime[];
extern "C" const char dsv4_embedded_runtime_end[];

namespace dsv4 {
namespace {

/// Bytes behind a path, without a file system.
class MemoryFile {
public:
  MemoryFile() = default;
  MemoryFile(MemoryFile &&other) : fd(other.fd) { other.fd = -1; }
  ~MemoryFile() {
    if (fd >= 0)
      ::close(fd);
  }

  Error fill(const std::string &name, StringRef bytes) {
    fd = ::memfd_create(name.c_str(), MFD_CLOEXEC);
    while (fd >= 0 && !bytes.empty()) {
      ssize_t done = ::write(fd, bytes.data(), bytes.size());
      if (done < 0 && errno == EINTR)
        continue;
      if (done < 0)
        break;
      bytes = bytes.drop_front(done);
    }
    if (fd >= 0 && bytes.empty())
      return Error::success();
    return createStringError(
        "cannot keep " + Twine(name) +
        " in memory for the linker: " + std::strerror(errno));
  }

  std::string path() const { return "/proc/self/fd/" + std::to_string(fd); }

private:
  int fd = -1;
};

/// LLD's output file; removed whatever happens.
struct TemporaryFile {
  SmallString<128> path;

  Error create() {
    if (std::error_code error =
            sys::fs::createTemporaryFile("dsv4-link", "exe", path))
      return createStringError(error, "cannot create a temporary file for the "
                                      "linker: " +
                                          error.message());
    sys::RemoveFileOnSignal(path);
    return Error::success();
  }

  ~TemporaryFile() {
    if (path.empty())
      return;
    sys::fs::remove(path);
    sys::DontRemoveFileOnSignal(path);
  }
};

constexpr const char *usualDirs[] = {
    "/lib/x86_64-linux-gnu",
    "/usr/lib/x86_64-linux-gnu",
    "/lib64",
    "/usr/lib64",
    "/lib",
    "/usr/lib",
};
constexpr const char *loader = "/lib64/ld-linux-x86-64.so.2";

/// Whether `path` is a shared library for x86-64. A library of another machine
/// (multiarch, a foreign /lib) would only give a riddle from the linker.
bool isUsableLibrary(const std::string &path) {
  Expected<sys::fs::file_t> file = sys::fs::openNativeFileForRead(path);
  if (!file) {
    consumeError(file.takeError());
    return false;
  }
  ELF::Elf64_Ehdr header = {};
  Expected<size_t> got = sys::fs::readNativeFile(
      *file,
      MutableArrayRef(reinterpret_cast<char *>(&header), sizeof(header)));
  sys::fs::closeFile(*file);
  if (!got) {
    consumeError(got.takeError());
    return false;
  }
  return *got == sizeof(header) && header.checkMagic() &&
         header.getFileClass() == ELF::ELFCLASS64 &&
         header.e_machine == ELF::EM_X86_64 && header.e_type == ELF::ET_DYN;
}

Expected<std::string> findLibrary(StringRef name, const LinkOptions &options) {
  std::vector<std::string> dirs = options.libraryDirs;
  if (options.searchUsualDirs)
    dirs.insert(dirs.end(), std::begin(usualDirs), std::end(usualDirs));
  std::string tried;
  for (const std::string &dir : dirs) {
    std::string path = dir + "/" + name.str();
    if (isUsableLibrary(path))
      return path;
    tried += (tried.empty() ? "" : ", ") + dir;
  }
  return createStringError("expected an x86-64 " + name + " in one of " +
                           tried +
                           "; install the C library there (libc6 on Debian)");
}

std::vector<std::string> linkerArguments(StringRef output,
                                         const LinkOptions &options) {
  std::vector<std::string> args = {"ld.lld",
                                   "-pie",
                                   "--eh-frame-hdr",
                                   "--gc-sections",
                                   "--fatal-warnings",
                                   "-z",
                                   "relro",
                                   "-z",
                                   "now",
                                   "-z",
                                   "noexecstack",
                                   "-z",
                                   "text",
                                   "--build-id=none",
                                   "--hash-style=gnu",
                                   "--threads=1",
                                   "--dynamic-linker",
                                   loader,
                                   "-o",
                                   output.str()};
  if (!options.debug)
    args.push_back("-s");
  return args;
}

/// "/proc/self/fd/5" says nothing to a reader: put the names back.
std::string withNames(std::string text, ArrayRef<MemoryFile> files,
                      ArrayRef<std::string> names) {
  for (size_t i = files.size(); i-- > 0;) {
    std::string path = files[i].path();
    for (size_t at = 0; (at = text.find(path, at)) != std::string::npos;)
      text.replace(at, path.size(), names[i]);
  }
  return StringRef(text).rtrim().str();
}

Error runLinker(const std::vector<std::string> &args, std::string &log) {
  std::vector<const char *> pointers;
  for (const std::string &arg : args)
    pointers.push_back(arg.c_str());
  std::string out;
  raw_string_ostream outStream(out), errStream(log);
  lld::Result result = lld::lldMain(pointers, outStream, errStream,
                                    {{lld::Gnu, &lld::elf::link}});
  if (result.retCode == 0)
    return Error::success();
  return createStringError("linking failed");
}

} // namespace

StringRef embeddedRuntime() {
  return StringRef(dsv4_embedded_runtime,
                   dsv4_embedded_runtime_end - dsv4_embedded_runtime);
}

Expected<std::string> linkExecutable(ArrayRef<StringRef> objects,
                                     StringRef runtime,
                                     const LinkOptions &options) {
  TemporaryFile output;
  if (Error error = output.create())
    return error;
  std::vector<std::string> args = linkerArguments(output.path, options);

  std::vector<MemoryFile> files(objects.size() + 1);
  std::vector<std::string> names;
  for (size_t i = 0; i < files.size(); ++i) {
    bool isRuntime = i == objects.size();
    names.push_back(isRuntime ? "runtime.a"
                              : "program" + std::to_string(i) + ".o");
    if (Error error =
            files[i].fill(names.back(), isRuntime ? runtime : objects[i]))
      return error;
    args.push_back(files[i].path());
  }
  for (StringRef library : {"libm.so.6", "libc.so.6"}) {
    Expected<std::string> path = findLibrary(library, options);
    if (!path)
      return path.takeError();
    args.push_back(*path);
  }

  std::string log;
  if (Error error = runLinker(args, log)) {
    consumeError(std::move(error));
    return createStringError("linking failed: " + withNames(log, files, names));
  }
  auto buffer = MemoryBuffer::getFile(output.path, /*IsText=*/false,
                                      /*RequiresNullTerminator=*/false);
  if (!buffer)
    return createStringError(buffer.getError(),
                             "cannot read back the linked executable: " +
                                 buffer.getError().message());
  return (*buffer)->getBuffer().str();
}

} // namespace dsv4
