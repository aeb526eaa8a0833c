// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Compiled kernels by the hash of everything that decides their bytes. A file
// of the cache carries its key and a digest of itself, so that one which is
// damaged, cut off or somebody else's is recompiled; writing is a rename, so
// processes may share a folder. A cache that cannot be read or written slows a
// compilation down and never fails it.

#ifndef DSV4_TARGETS_CUDA_TOOLCHAIN_KERNELCACHE_H
#define DSV4_TARGETS_CUDA_TOOLCHAIN_KERNELCACHE_H

#include "targets/cuda/toolchain/NvrtcCompiler.h"

namespace dsv4::cuda {

class KernelCache {
public:
  struct Options {
    bool enabled = true;
    std::string folder; // empty: defaultFolder()
    /// Beyond it the files not used for longest are removed.
    uint64_t maxBytes = 512ull << 20;
  };
  struct Counts {
    uint64_t hits = 0, misses = 0, damaged = 0;
  };

  explicit KernelCache(Options options);

  /// $XDG_CACHE_HOME/dsv4c, else $HOME/.cache/dsv4c; empty without either,
  /// which switches the cache off.
  static std::string defaultFolder();

  /// 64 hexadecimal digits.
  static std::string keyOf(const CompileRequest &request,
                           const NvrtcCompiler &compiler);

  /// From the cache, or compiled and put there.
  llvm::Expected<CompileResult> compile(const NvrtcCompiler &compiler,
                                        const CompileRequest &request);

  const Counts &counts() const { return seen; }
  /// The last problem with the folder, for a note; empty: none.
  const std::string &problem() const { return trouble; }
  const std::string &folder() const { return options.folder; }

private:
  std::string pathOf(llvm::StringRef key) const;
  std::optional<CompileResult> find(llvm::StringRef key);
  llvm::Error store(llvm::StringRef key, const CompileResult &result);
  void trim(llvm::StringRef kept);

  Options options;
  Counts seen;
  std::string trouble;
};

} // namespace dsv4::cuda

#endif // DSV4_TARGETS_CUDA_TOOLCHAIN_KERNELCACHE_H
