// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The embedded device code; the texts come from utils/gen_device_sources.py.

#include "targets/cuda/DeviceSources.h"

namespace dsv4::cuda {

namespace {
struct EmbeddedFile {
  const char *name, *text;
};
constexpr EmbeddedFile embeddedFiles[] = {
#include "targets/cuda/DeviceSources.inc"
};
constexpr llvm::StringLiteral nvrtcFolder = "targets/cuda/device/nvrtc/";
} // namespace

const std::map<std::string, std::string> &deviceHeaders() {
  static const std::map<std::string, std::string> headers = [] {
    std::map<std::string, std::string> byName;
    for (const EmbeddedFile &file : embeddedFiles) {
      // What stands in for a system header is included by its short name.
      llvm::StringRef name = file.name;
      name.consume_front(nvrtcFolder);
      byName.emplace(name.str(), file.text);
    }
    return byName;
  }();
  return headers;
}

void addDeviceHeaders(CompileRequest &request) {
  for (const auto &[name, text] : deviceHeaders())
    request.headers.emplace(name, text);
  request.options.push_back("--device-as-default-execution-space");
}

} // namespace dsv4::cuda
