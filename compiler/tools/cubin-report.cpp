// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// cubin-report: what the assembler made of kernels, from a cubin or from CUDA
// C++ that is compiled first. Needs no GPU; a cubin needs no CUDA either.
//
// Exit codes: 0 done, 1 failed, 2 wrong usage.

#include "targets/common/AtomicFile.h"
#include "targets/cuda/toolchain/CubinReport.h"
#include "targets/cuda/toolchain/JitLinker.h"
#include "targets/cuda/toolchain/NvrtcCompiler.h"

#include "CLI/CLI.hpp"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"

using namespace dsv4;
using namespace dsv4::cuda;

namespace {

constexpr const char *Description =
    R"(Prints what the assembler made of GPU kernels: registers, stack, spills,
shared memory, and which instructions how often.

FILE is a cubin. With --source it is made first, from CUDA C++, by NVRTC (found
in --cuda DIR, DSV4_CUDA_HOME, CUDA_HOME, a CUDA Toolkit, or the Python package
nvidia-cuda-nvrtc); no GPU is needed.

Reading a report:
  registers      of a thread; an SM has 65536, so 168 allow 384 threads
  stack, spills  bytes of a thread in local memory; hot kernels have none, and
                 neither LDL nor STL. Only --source knows the bytes of spills
  ALU            integer, float, convert and special instructions: what decoding
                 a weight costs. Divide by the weights of a turn of the loop
  loops          innermost ones are where the time goes; a loop that waits for a
                 barrier is marked and not counted as inner loop

Examples:
  cubin-report kernels.cubin                       every kernel of a file
  cubin-report kernels.cubin --loops --kernel gemv one of them, loop by loop
  cubin-report --source gemv.cu --arch sm_90a      compile, then report
  cubin-report --source gemv.cu -D N=8 --json      for tools
  cubin-report --toolchain                         which NVRTC would be used)";

struct Options {
  std::string file, source, arch = "sm_90a", cuda, output, kernel;
  std::vector<std::string> defines, includes, more;
  bool json = false, loops = false, toolchain = false;
};

int fail(llvm::Error error) {
  llvm::errs() << "cubin-report: error: " << llvm::toString(std::move(error))
               << '\n';
  return 1;
}

int wrongUsage(const char *what) {
  llvm::errs() << "cubin-report: error: " << what << "; see --help\n";
  return 2;
}

llvm::Expected<std::string> readAll(const std::string &path) {
  // Devices and pipes have no size, and a folder is no file.
  if (!llvm::sys::fs::is_regular_file(path))
    return llvm::createStringError("cannot read '" + path +
                                   "': expected a regular file");
  auto bytes = llvm::MemoryBuffer::getFile(path);
  if (!bytes)
    return llvm::createStringError("cannot read '" + path +
                                   "': " + bytes.getError().message());
  return (*bytes)->getBuffer().str();
}

llvm::Expected<CompileResult> compileSource(const Options &o) {
  auto text = readAll(o.source);
  if (!text)
    return text.takeError();
  auto nvrtc = NvrtcCompiler::load(ToolchainSearch::ofThisMachine(o.cuda));
  if (!nvrtc)
    return nvrtc.takeError();
  CompileRequest request;
  request.name = llvm::sys::path::filename(o.source).str();
  request.source = std::move(*text);
  request.arch = o.arch;
  for (const std::string &one : o.defines)
    request.options.push_back("--define-macro=" + one);
  for (const std::string &one : o.includes)
    request.options.push_back("--include-path=" + one);
  llvm::append_range(request.options, o.more);
  auto result = nvrtc->compile(request);
  if (result)
    for (const std::string &loss : result->losses)
      llvm::errs() << "cubin-report: warning: " << loss << '\n';
  return result;
}

llvm::Error save(const std::string &path, llvm::StringRef bytes) {
  auto file = AtomicFile::create(path);
  if (!file)
    return file.takeError();
  if (llvm::Error error = file->write(bytes))
    return error;
  return file->commit(0644);
}

llvm::Expected<Cubin> load(const Options &o) {
  std::vector<PtxasResources> resources;
  std::string bytes;
  if (o.source.empty()) {
    auto file = readAll(o.file);
    if (!file)
      return file.takeError();
    bytes = std::move(*file);
  } else {
    auto result = compileSource(o);
    if (!result)
      return result.takeError();
    bytes = std::move(result->cubin);
    resources = std::move(result->resources);
  }
  auto cubin = readCubin(bytes);
  if (!cubin)
    return llvm::createStringError("'" +
                                   (o.source.empty() ? o.file : o.source) +
                                   "': " + llvm::toString(cubin.takeError()));
  addLog(*cubin, resources);
  if (!o.output.empty())
    if (llvm::Error error = save(o.output, bytes))
      return std::move(error);
  return cubin;
}

/// Leaves one function, or says which there are.
llvm::Error choose(Cubin &cubin, const std::string &name) {
  std::string names;
  for (const CubinFunction &one : cubin.functions) {
    if (one.name == name) {
      cubin.functions = {CubinFunction(one)};
      return llvm::Error::success();
    }
    names += (names.empty() ? "" : ", ") + one.name;
  }
  return llvm::createStringError("no kernel '" + name + "', found " +
                                 (names.empty() ? "none" : names));
}

int printToolchain(const Options &o) {
  auto search = ToolchainSearch::ofThisMachine(o.cuda);
  auto nvrtc = NvrtcCompiler::load(search);
  if (!nvrtc)
    return fail(nvrtc.takeError());
  llvm::outs() << "NVRTC " << nvrtc->version() << ": " << nvrtc->path() << " ("
               << nvrtc->foundIn() << ")\n";
  for (const CudaTarget &target : cudaTargets()) {
    llvm::Error error = nvrtc->supports(target);
    llvm::outs() << "  " << target.name << ' '
                 << (error ? "no: " + llvm::toString(std::move(error)) : "yes")
                 << '\n';
  }
  auto linker = JitLinker::load(search);
  if (!linker)
    return fail(linker.takeError());
  llvm::outs() << "nvJitLink " << linker->version() << ": " << linker->path()
               << '\n';
  return 0;
}

void addFlags(CLI::App &app, Options &o) {
  app.add_option("file", o.file, "cubin to read");
  app.add_option("--source", o.source, "CUDA C++ to compile instead of FILE");
  app.add_option("--arch", o.arch,
                 "sm_80, sm_89, sm_90a (default), sm_100a, sm_120a")
      ->needs("--source");
  app.add_option("-D,--define", o.defines, "NAME or NAME=VALUE, with --source")
      ->allow_extra_args(false)
      ->needs("--source");
  app.add_option("-I,--include", o.includes, "folder, with --source")
      ->allow_extra_args(false)
      ->needs("--source");
  app.add_option("--nvrtc-option", o.more, "further option of NVRTC")
      ->allow_extra_args(false)
      ->needs("--source");
  app.add_option("-o,--output", o.output, "also write the cubin there")
      ->needs("--source");
  app.add_option("--cuda", o.cuda,
                 "folder of CUDA's libraries: a toolkit, a Python environment");
  app.add_option("--kernel", o.kernel, "only this kernel (its symbol)");
  app.add_flag("--loops", o.loops, "each loop with its instructions");
  app.add_flag("--json", o.json, "for tools");
  app.add_flag("--toolchain", o.toolchain,
               "print which libraries are used, and compile nothing");
}

} // namespace

int main(int argc, char **argv) {
  CLI::App app(Description, "cubin-report");
  Options o;
  addFlags(app, o);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError &e) {
    return app.exit(e) == 0 ? 0 : 2;
  }
  if (o.toolchain)
    return printToolchain(o);
  if (o.file.empty() == o.source.empty())
    return wrongUsage("expected either FILE or --source FILE.cu");
  auto cubin = load(o);
  if (!cubin)
    return fail(cubin.takeError());
  if (!o.kernel.empty())
    if (llvm::Error error = choose(*cubin, o.kernel))
      return fail(std::move(error));
  if (o.json)
    llvm::outs() << llvm::formatv("{0:2}", reportJson(*cubin, {o.loops}))
                 << '\n';
  else
    printReport(*cubin, {o.loops}, llvm::outs());
  return 0;
}
