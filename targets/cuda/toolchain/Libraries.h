// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Where libnvrtc and libnvJitLink are on this machine, and opening them. The
// project builds without CUDA, so nothing is linked: prototypes are our own,
// and addresses come from dlsym. Folders are tried in a fixed order, the most
// explicit first; the search never runs a program.

#ifndef DSV4_TARGETS_CUDA_TOOLCHAIN_LIBRARIES_H
#define DSV4_TARGETS_CUDA_TOOLCHAIN_LIBRARIES_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <string>
#include <vector>

namespace dsv4::cuda {

/// What the search looks at. The defaults are this process's surroundings;
/// tests set all of it.
struct ToolchainSearch {
  /// Searched alone if it is not empty: a toolkit (with lib64/ or lib/), the
  /// root of a Python environment, site-packages, or the folder of libraries.
  std::string folder;
  /// The same, searched first: CUDA_HOME. (DSV4_CUDA_HOME is as good as a
  /// folder given by hand.)
  std::vector<std::string> homes;
  /// Toolkits: /usr/local/cuda first, then newer versions before older ones.
  std::vector<std::string> toolkits;
  /// Folders of Python packages that may hold nvidia/.
  std::vector<std::string> sitePackages;
  /// Last, whatever the loader finds by the library's name.
  bool askLoader = true;

  /// All of it from the environment, PATH and the folders above the executable.
  static ToolchainSearch ofThisMachine(llvm::StringRef folder = "");
};

/// A place where a library was found.
struct LibraryPlace {
  std::string path; // a file, or a bare name for the loader
  std::string from; // "CUDA_HOME", "CUDA Toolkit", "Python packages", ...
};

/// Files called STEM.so.N below the places of `search`, best first: the order
/// of the places, then higher N first. `stem` is "libnvrtc".
std::vector<LibraryPlace> findLibraries(const ToolchainSearch &search,
                                        llvm::StringRef stem);

/// Why nothing usable was found, with what to install: one sentence.
llvm::Error toolchainMissing(const ToolchainSearch &search,
                             llvm::StringRef stem,
                             const std::vector<std::string> &rejected);

/// An opened library. It stays open until the process ends: NVRTC keeps
/// threads and caches that do not survive being unloaded.
class SharedLibrary {
public:
  static llvm::Expected<SharedLibrary> open(llvm::StringRef path);
  /// The function called `name`, as pointer of the type of `function`; an error
  /// if the library lacks it.
  template <typename Function>
  llvm::Error bind(Function *&function, const char *name) const {
    function = reinterpret_cast<Function *>(address(name));
    return function ? llvm::Error::success() : lacks(name);
  }
  /// The path of the file that holds `symbol`, for names the loader resolved.
  static std::string fileOf(const void *symbol);

private:
  void *address(const char *name) const;
  llvm::Error lacks(const char *name) const;

  void *handle = nullptr;
  std::string path;
};

} // namespace dsv4::cuda

#endif // DSV4_TARGETS_CUDA_TOOLCHAIN_LIBRARIES_H
