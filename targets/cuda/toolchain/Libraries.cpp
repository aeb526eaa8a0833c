// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The search for CUDA's compiler libraries: folders of a toolkit and of Python
// packages differ only in which subfolders hold the files.

#include "targets/cuda/toolchain/Libraries.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Process.h"

#include <algorithm>
#include <dlfcn.h>

using namespace llvm;
namespace fs = llvm::sys::fs;
namespace path = llvm::sys::path;

namespace dsv4::cuda {
namespace {

std::string join(StringRef folder, const Twine &name) {
  SmallString<256> out(folder);
  path::append(out, name);
  return std::string(out);
}

/// Entries of a folder, sorted: directory order is no order.
std::vector<std::string> entries(StringRef folder) {
  std::vector<std::string> found;
  std::error_code error;
  for (fs::directory_iterator at(folder, error), end; !error && at != end;
       at.increment(error))
    found.push_back(at->path());
  llvm::sort(found);
  return found;
}

/// N of STEM.so.N; 0 for STEM.so, -1 for other names. Versions in full
/// (STEM.so.12.8.93) are the same file under another name.
int majorOf(StringRef file, StringRef stem) {
  if (!file.consume_front(stem) || !file.consume_front(".so"))
    return -1;
  if (file.empty())
    return 0;
  int major;
  if (!file.consume_front(".") || file.getAsInteger(10, major) || major < 1)
    return -1;
  return major;
}

/// Adds STEM.so.N of one folder, higher N first. STEM.so counts where it is
/// alone: some packages leave out the version.
void addFrom(StringRef folder, StringRef stem, StringRef from,
             std::vector<LibraryPlace> &found) {
  std::vector<std::pair<int, std::string>> here;
  for (const std::string &entry : entries(folder))
    if (int major = majorOf(path::filename(entry), stem); major >= 0)
      here.push_back({-major, entry});
  llvm::sort(here);
  if (!here.empty() && here.front().first != 0)
    llvm::erase_if(here, [](const auto &one) { return one.first == 0; });
  for (const auto &[major, file] : here)
    found.push_back({file, from.str()});
}

void addToolkit(StringRef root, StringRef stem, StringRef from,
                std::vector<LibraryPlace> &found) {
  size_t before = found.size();
  for (StringRef sub :
       {"lib64", "lib", "targets/x86_64-linux/lib", "targets/sbsa-linux/lib"}) {
    addFrom(join(root, sub), stem, from, found);
    if (found.size() > before)
      return; // the others are links to the same files
  }
}

/// Python packages: nvidia/cu13/lib for CUDA 13, nvidia/<part>/lib before.
void addPackages(StringRef site, StringRef stem, StringRef from,
                 std::vector<LibraryPlace> &found) {
  std::vector<std::string> parts = entries(join(site, "nvidia"));
  std::reverse(parts.begin(), parts.end()); // cu14 before cu13
  for (bool isWhole : {true, false})
    for (const std::string &part : parts)
      if (path::filename(part).starts_with("cu1") == isWhole)
        addFrom(join(part, "lib"), stem, from, found);
}

/// LIB/python3.N/{site,dist}-packages of a prefix such as /usr or a venv.
void addSites(StringRef prefix, std::vector<std::string> &sites) {
  std::vector<std::string> versions = entries(join(prefix, "lib"));
  std::reverse(versions.begin(), versions.end());
  for (const std::string &version : versions) {
    if (!path::filename(version).starts_with("python3"))
      continue;
    for (StringRef name : {"site-packages", "dist-packages"})
      if (std::string site = join(version, name); fs::is_directory(site))
        sites.push_back(site);
  }
}

/// A folder given by hand may be any of the shapes above.
void addAny(StringRef folder, StringRef stem, StringRef from,
            std::vector<LibraryPlace> &found) {
  addFrom(folder, stem, from, found);
  addToolkit(folder, stem, from, found);
  addPackages(folder, stem, from, found);
  std::vector<std::string> sites;
  addSites(folder, sites);
  for (const std::string &site : sites)
    addPackages(site, stem, from, found);
}

std::vector<std::string> searchPath() {
  std::vector<std::string> folders;
  SmallVector<StringRef> parts;
  std::string value = sys::Process::GetEnv("PATH").value_or("");
  StringRef(value).split(parts, ':', -1, false);
  for (StringRef part : parts)
    folders.push_back(part.str());
  return folders;
}

void addToolkits(std::vector<std::string> &toolkits) {
  if (fs::is_directory("/usr/local/cuda"))
    toolkits.push_back("/usr/local/cuda");
  std::vector<std::string> versions = entries("/usr/local");
  std::reverse(versions.begin(), versions.end());
  for (const std::string &folder : versions)
    if (path::filename(folder).starts_with("cuda-"))
      toolkits.push_back(folder);
  for (const std::string &folder : searchPath()) {
    SmallString<256> real;
    if (!fs::real_path(join(folder, "nvcc"), real))
      toolkits.push_back(path::parent_path(path::parent_path(real)).str());
  }
}

/// Prefixes of Python: the environment of the project's build (above build/bin
/// and build/test/unit; other build folders lie beside build/), the active one,
/// and the one of python3 on PATH, whose own name (not what it links to) lies
/// in its environment.
void addPythons(std::vector<std::string> &sites) {
  std::string self = fs::getMainExecutable(nullptr, nullptr);
  for (int up = 0; up < 4 && !self.empty(); ++up) {
    self = path::parent_path(self).str();
    addSites(join(self, "venv"), sites);
    addSites(join(self, "build/venv"), sites);
  }
  if (auto active = sys::Process::GetEnv("VIRTUAL_ENV"))
    addSites(*active, sites);
  for (const std::string &folder : searchPath())
    if (fs::can_execute(join(folder, "python3"))) {
      addSites(path::parent_path(folder), sites);
      break;
    }
  if (auto home = sys::Process::GetEnv("HOME"))
    addSites(join(*home, ".local"), sites);
  for (StringRef prefix : {"/usr/local", "/usr"})
    addSites(prefix, sites);
}

void dropRepeats(std::vector<std::string> &names) {
  std::vector<std::string> kept;
  for (std::string &name : names)
    if (!is_contained(kept, name))
      kept.push_back(std::move(name));
  names = std::move(kept);
}

} // namespace

ToolchainSearch ToolchainSearch::ofThisMachine(StringRef folder) {
  ToolchainSearch search;
  search.folder = folder.str();
  if (search.folder.empty())
    search.folder = sys::Process::GetEnv("DSV4_CUDA_HOME").value_or("");
  if (auto value = sys::Process::GetEnv("CUDA_HOME"); value && !value->empty())
    search.homes.push_back(*value);
  addToolkits(search.toolkits);
  addPythons(search.sitePackages);
  dropRepeats(search.toolkits);
  dropRepeats(search.sitePackages);
  return search;
}

std::vector<LibraryPlace> findLibraries(const ToolchainSearch &search,
                                        StringRef stem) {
  std::vector<LibraryPlace> found;
  if (!search.folder.empty()) {
    addAny(search.folder, stem, "the folder given", found);
    return found;
  }
  for (const std::string &home : search.homes)
    addAny(home, stem, "CUDA_HOME", found);
  for (const std::string &toolkit : search.toolkits)
    addToolkit(toolkit, stem, "CUDA Toolkit", found);
  for (const std::string &site : search.sitePackages)
    addPackages(site, stem, "Python packages", found);
  if (search.askLoader)
    for (StringRef version : {".so.13", ".so.12", ".so"})
      found.push_back({(stem + version).str(), "the loader"});
  return found;
}

Error toolchainMissing(const ToolchainSearch &search, StringRef stem,
                       const std::vector<std::string> &rejected) {
  std::string text =
      "CUDA targets need " + stem.str() + ", which was not found";
  if (!search.folder.empty())
    text += " below '" + search.folder + "'";
  for (const std::string &one : rejected)
    text += "; rejected " + one;
  text +=
      "; install it by 'pip install nvidia-cuda-nvrtc nvidia-nvjitlink' or "
      "with the CUDA Toolkit (12.8 or newer), and if it lies elsewhere name "
      "the folder in DSV4_CUDA_HOME";
  return createStringError(text);
}

Expected<SharedLibrary> SharedLibrary::open(StringRef path) {
  SharedLibrary library;
  library.path = path.str();
  library.handle = dlopen(library.path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library.handle)
    return library;
  const char *why = dlerror();
  return createStringError("'" + path +
                           "': " + (why ? why : "cannot be opened"));
}

void *SharedLibrary::address(const char *name) const {
  return dlsym(handle, name);
}

Error SharedLibrary::lacks(const char *name) const {
  return createStringError("'" + path + "': the function " + name +
                           " is missing");
}

std::string SharedLibrary::fileOf(const void *symbol) {
  Dl_info info;
  if (!dladdr(symbol, &info) || !info.dli_fname)
    return "";
  return info.dli_fname;
}

} // namespace dsv4::cuda
