// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// CUDA C++ to PTX and cubin in this process, through NVRTC. Sources and headers
// come from memory, and nothing is read from the file system, so that what is
// compiled is exactly what the caller hashed. Needs neither a GPU nor a driver.

#ifndef DSV4_TARGETS_CUDA_TOOLCHAIN_NVRTCCOMPILER_H
#define DSV4_TARGETS_CUDA_TOOLCHAIN_NVRTCCOMPILER_H

#include "targets/cuda/CudaTarget.h"
#include "targets/cuda/toolchain/Libraries.h"
#include "targets/cuda/toolchain/PtxasLog.h"

#include <map>
#include <memory>

namespace dsv4::cuda {

struct CompileRequest {
  std::string name = "kernels.cu"; // in messages
  std::string source;
  std::map<std::string, std::string> headers; // as included, to text
  std::string arch;                           // "sm_90a"
  /// Further options, one per string ("--define-macro=N=4"); a list joined by
  /// commas is not split.
  std::vector<std::string> options;
  bool wantCubin = true, wantPtx = false;
  /// Template instantiations ("dsv4::cuda::phase<Config>") whose symbols the
  /// caller needs: NVRTC instantiates them and says what they are called.
  std::vector<std::string> nameExpressions;
  /// The arithmetic of docs/numerics.md: no contraction, denormals are zero,
  /// IEEE division and square root.
  bool contract = false, flushDenormals = true;
};

struct CompileResult {
  std::string cubin, ptx;
  std::string log; // warnings and the assembler's report, without times
  /// What the assembler could not do as asked: instructions of warpgroups
  /// serialised, setmaxnreg ignored. Part of the log, for gates.
  std::vector<std::string> losses;
  std::vector<PtxasResources> resources;
  std::map<std::string, std::string> symbols; // of the name expressions
};

/// The options that reach NVRTC for `request`, in order: also what a cache
/// hashes.
std::vector<std::string> optionsOf(const CompileRequest &request);

class NvrtcCompiler {
public:
  /// The first usable NVRTC of `search`. One that is too old for every target,
  /// or lacks its builtins, is passed over and named in the error.
  static llvm::Expected<NvrtcCompiler>
  load(const ToolchainSearch &search = ToolchainSearch::ofThisMachine());

  /// Errors carry NVRTC's log. May be called from several threads.
  llvm::Expected<CompileResult> compile(const CompileRequest &request) const;

  /// Why this NVRTC cannot compile for `target`, or success.
  llvm::Error supports(const CudaTarget &target) const;

  int major() const { return versionMajor; }
  int minor() const { return versionMinor; }
  std::string version() const; // "13.0"
  /// What together with a request decides the bytes: the version, and a digest
  /// of parts of the file, because updates keep the version.
  const std::string &identity() const { return fileIdentity; }
  const std::string &path() const { return file; }
  const std::string &foundIn() const { return from; }

private:
  struct Api;
  static llvm::Expected<NvrtcCompiler> open(const LibraryPlace &place);

  std::shared_ptr<const Api> api;
  std::string file, from, fileIdentity;
  int versionMajor = 0, versionMinor = 0;
  std::vector<int> architectures; // 80, 89, 90, ...
};

} // namespace dsv4::cuda

#endif // DSV4_TARGETS_CUDA_TOOLCHAIN_NVRTCCOMPILER_H
