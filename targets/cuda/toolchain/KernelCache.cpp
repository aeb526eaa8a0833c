// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A file is a magic text, the key, texts with their lengths, and the SHA-256 of
// all that.

#include "targets/cuda/toolchain/KernelCache.h"

#include "targets/common/AtomicFile.h"
#include "targets/common/Sha256.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Chrono.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Process.h"

#include <chrono>

using namespace llvm;
namespace fs = llvm::sys::fs;

namespace dsv4::cuda {
namespace {

// Whoever changes what a file holds, or what a key covers, changes this.
constexpr StringLiteral magic = "dsv4c kernel 1\n";
constexpr StringLiteral suffix = ".kernel";
constexpr size_t keyLength = 64, digestLength = 32;
// No cubin of ours comes near it; a larger file is not read.
constexpr uint64_t maxEntry = 256ull << 20;

void put(std::string &out, StringRef text) {
  char length[8];
  support::endian::write64le(length, text.size());
  out.append(length, 8);
  out += text;
}

/// Takes one text off the front; false if the rest is too short for it.
bool take(StringRef &rest, std::string &text) {
  if (rest.size() < 8)
    return false;
  uint64_t length = support::endian::read64le(rest.data());
  rest = rest.drop_front(8);
  if (length > rest.size())
    return false;
  text = rest.take_front(length).str();
  rest = rest.drop_front(length);
  return true;
}

std::string digestOf(StringRef bytes) {
  Sha256 sha;
  sha.update(bytes);
  auto digest = sha.final();
  return std::string(digest.begin(), digest.end());
}

std::string pack(StringRef key, const CompileResult &result) {
  std::string out = magic.str() + key.str();
  put(out, result.cubin);
  put(out, result.ptx);
  put(out, result.log);
  for (const auto &[name, symbol] : result.symbols) {
    put(out, name);
    put(out, symbol);
  }
  return out + digestOf(out);
}

std::optional<CompileResult> unpack(StringRef key, StringRef bytes) {
  if (bytes.size() < magic.size() + keyLength + digestLength ||
      digestOf(bytes.drop_back(digestLength)) != bytes.take_back(digestLength))
    return std::nullopt;
  bytes = bytes.drop_back(digestLength);
  if (!bytes.consume_front(magic) || !bytes.consume_front(key))
    return std::nullopt;
  CompileResult result;
  if (!take(bytes, result.cubin) || !take(bytes, result.ptx) ||
      !take(bytes, result.log))
    return std::nullopt;
  while (!bytes.empty()) {
    std::string name, symbol;
    if (!take(bytes, name) || !take(bytes, symbol))
      return std::nullopt;
    result.symbols[name] = symbol;
  }
  result.resources = parsePtxasLog(result.log);
  result.losses = performanceLosses(result.log);
  return result;
}

bool isEntry(StringRef name) {
  return name.consume_back(suffix) && name.size() == keyLength &&
         all_of(name, isHexDigit);
}

/// What a process that was killed left behind: KEY.kernel.tmp-xxxxxx.
bool isLeftover(StringRef name) {
  auto [front, back] = name.split(".tmp-");
  return !back.empty() && isEntry(front);
}

} // namespace

KernelCache::KernelCache(Options given) : options(std::move(given)) {
  if (options.folder.empty())
    options.folder = defaultFolder();
  if (options.folder.empty())
    options.enabled = false;
}

std::string KernelCache::defaultFolder() {
  auto value = sys::Process::GetEnv("XDG_CACHE_HOME");
  // A relative path there is to be ignored (XDG base directories).
  if (value && sys::path::is_absolute(*value))
    return *value + "/dsv4c";
  value = sys::Process::GetEnv("HOME");
  if (value && sys::path::is_absolute(*value))
    return *value + "/.cache/dsv4c";
  return "";
}

std::string KernelCache::keyOf(const CompileRequest &request,
                               const NvrtcCompiler &compiler) {
  std::string all = magic.str();
  put(all, compiler.identity());
  put(all, request.arch);
  put(all, request.name); // in messages of the log and in line tables
  put(all, request.source);
  put(all, std::string(request.wantCubin ? "cubin" : "") +
               (request.wantPtx ? " ptx" : ""));
  // Counts in front: a header's text is not the next list's first entry.
  put(all, std::to_string(request.headers.size()));
  for (const auto &[name, text] : request.headers) {
    put(all, name);
    put(all, text);
  }
  put(all, std::to_string(request.nameExpressions.size()));
  for (const std::string &name : request.nameExpressions)
    put(all, name);
  for (const std::string &option : optionsOf(request))
    put(all, option);
  return toHex(digestOf(all), /*LowerCase=*/true);
}

std::string KernelCache::pathOf(StringRef key) const {
  SmallString<256> path(options.folder);
  sys::path::append(path, key + suffix);
  return std::string(path);
}

std::optional<CompileResult> KernelCache::find(StringRef key) {
  std::string path = pathOf(key);
  fs::file_status status;
  if (fs::status(path, status) || !fs::is_regular_file(status))
    return std::nullopt;
  std::optional<CompileResult> result;
  if (status.getSize() <= maxEntry) {
    // Copied, not mapped: a mapping of a file that somebody cuts off faults.
    auto bytes = MemoryBuffer::getFile(path, false, false, /*IsVolatile=*/true);
    if (!bytes)
      return std::nullopt;
    result = unpack(key, (*bytes)->getBuffer());
  }
  if (!result) {
    ++seen.damaged;
    return std::nullopt;
  }
  // Its age is the time since its last use.
  if (auto file = fs::openNativeFileForWrite(path, fs::CD_OpenExisting,
                                             fs::OF_Append)) {
    auto now = std::chrono::time_point_cast<std::chrono::nanoseconds>(
        std::chrono::system_clock::now());
    (void)fs::setLastAccessAndModificationTime(*file, now);
    (void)fs::closeFile(*file);
  } else {
    consumeError(file.takeError());
  }
  return result;
}

Error KernelCache::store(StringRef key, const CompileResult &result) {
  // For this user alone: whoever can write here decides what runs.
  if (std::error_code error =
          fs::create_directories(options.folder, true, fs::owner_all))
    return createStringError(error, "cannot make the kernel cache '" +
                                        options.folder +
                                        "': " + error.message());
  auto file = AtomicFile::create(pathOf(key));
  if (!file)
    return file.takeError();
  if (Error error = file->write(pack(key, result)))
    return error;
  return file->commit(0600);
}

void KernelCache::trim(StringRef kept) {
  struct Entry {
    sys::TimePoint<> used;
    std::string path;
    uint64_t size;
  };
  std::vector<Entry> entries;
  uint64_t total = 0;
  auto dayAgo = std::chrono::system_clock::now() - std::chrono::hours(24);
  std::error_code error;
  for (fs::directory_iterator at(options.folder, error), end;
       !error && at != end; at.increment(error)) {
    StringRef name = sys::path::filename(at->path());
    fs::file_status status;
    if ((!isEntry(name) && !isLeftover(name)) || fs::status(at->path(), status))
      continue;
    if (isLeftover(name)) {
      if (status.getLastModificationTime() < dayAgo)
        (void)fs::remove(at->path());
      continue;
    }
    total += status.getSize();
    entries.push_back(
        {status.getLastModificationTime(), at->path(), status.getSize()});
  }
  llvm::sort(entries, [](const Entry &a, const Entry &b) {
    return std::tie(a.used, a.path) < std::tie(b.used, b.path);
  });
  // Another process may do the same: what is gone already is no problem.
  for (const Entry &entry : entries) {
    if (total <= options.maxBytes)
      return;
    if (entry.path == kept && entry.size <= options.maxBytes)
      continue;
    (void)fs::remove(entry.path);
    total -= entry.size;
  }
}

Expected<CompileResult> KernelCache::compile(const NvrtcCompiler &compiler,
                                             const CompileRequest &request) {
  if (!options.enabled)
    return compiler.compile(request);
  std::string key = keyOf(request, compiler);
  if (auto result = find(key)) {
    ++seen.hits;
    return std::move(*result);
  }
  ++seen.misses;
  auto result = compiler.compile(request);
  if (!result)
    return result.takeError();
  if (Error error = store(key, *result))
    trouble = toString(std::move(error));
  else
    trim(pathOf(key));
  return result;
}

} // namespace dsv4::cuda
