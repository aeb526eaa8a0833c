// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Figures that a cubin does not hold are left out of the JSON and said to be
// unknown in the text.

#include "targets/cuda/toolchain/CubinReport.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Format.h"

using namespace llvm;

namespace dsv4::cuda {
namespace {

std::vector<const CubinFunction *> sorted(const Cubin &cubin) {
  std::vector<const CubinFunction *> out;
  for (const CubinFunction &function : cubin.functions)
    out.push_back(&function);
  llvm::sort(out,
             [](const auto *a, const auto *b) { return a->name < b->name; });
  return out;
}

/// Most frequent first, then by name.
std::vector<std::pair<std::string, uint64_t>> byCount(const SassMix &mix) {
  std::vector<std::pair<std::string, uint64_t>> out(mix.names.begin(),
                                                    mix.names.end());
  llvm::sort(out, [](const auto &a, const auto &b) {
    return std::tie(b.second, a.first) < std::tie(a.second, b.first);
  });
  return out;
}

/// "3 LDG, 1 STG", broken before column 78.
void printNames(const SassMix &mix, StringRef indent, raw_ostream &out) {
  std::string line;
  for (const auto &[name, count] : byCount(mix)) {
    std::string item = std::to_string(count) + " " + name;
    if (!line.empty() && indent.size() + line.size() + item.size() > 76) {
      out << indent << line << ",\n";
      line.clear();
    }
    line += (line.empty() ? "" : ", ") + item;
  }
  if (!line.empty())
    out << indent << line << '\n';
}

void printClasses(const SassMix &mix, raw_ostream &out) {
  out << mix.total << " instructions, ALU " << mix.alu();
  for (int kind = 0; kind < NumSassClasses; ++kind)
    if (mix.classes[kind] && !isAlu(SassClass(kind)))
      out << ", " << className(SassClass(kind)) << ' ' << mix.classes[kind];
  out << '\n';
}

void printResources(const CubinFunction &f, raw_ostream &out) {
  out << "  registers " << f.registers << ", stack " << f.frameBytes << " B";
  if (f.stackBytes > f.frameBytes)
    out << " (" << f.stackBytes << " with calls)";
  if (f.spillStoreBytes && f.spillLoadBytes)
    out << ", spills " << *f.spillStoreBytes << " B stored, "
        << *f.spillLoadBytes << " B loaded";
  else
    out << ", spills unknown without the assembler's log";
  out << "\n  static shared memory " << f.sharedBytes << " B, barriers "
      << f.barriers << ", threads ";
  if (f.maxBlockThreads())
    out << "at most " << f.maxBlockThreads();
  else
    out << "not bounded";
  out << "\n  parameters " << f.parameterBytes << " B at "
      << format_hex(f.parameterOffset, 2) << " of constant bank 0 ("
      << f.constantBytes << " B)\n";
}

void printLoops(const CubinFunction &f, unsigned arch, raw_ostream &out) {
  auto found = findLoops(f.code, arch);
  if (!found) {
    out << "  loops: " << toString(found.takeError()) << '\n';
    return;
  }
  if (found->hasIndirect)
    out << "  jumps to computed addresses: some loops may be missing\n";
  for (const SassLoop &loop : found->loops) {
    out << "  loop at " << format_hex(loop.header * 16, 2) << ", depth "
        << loop.depth
        << (loop.isWait        ? ", waits"
            : loop.isInnermost ? ", innermost"
                               : "")
        << ": ";
    SassMix mix = mixOf(f.code, loop, arch);
    printClasses(mix, out);
    printNames(mix, "    ", out);
  }
}

json::Object mixJson(const SassMix &mix) {
  json::Object names, classes;
  for (const auto &[name, count] : mix.names)
    names[name] = count;
  for (int kind = 0; kind < NumSassClasses; ++kind)
    if (mix.classes[kind])
      classes[className(SassClass(kind))] = mix.classes[kind];
  return json::Object{{"total", mix.total},
                      {"alu", mix.alu()},
                      {"by_class", std::move(classes)},
                      {"by_name", std::move(names)}};
}

void addLoops(const CubinFunction &f, unsigned arch, json::Object &out) {
  auto found = findLoops(f.code, arch);
  if (!found) {
    out["loops_error"] = toString(found.takeError());
    return;
  }
  json::Array loops;
  for (const SassLoop &loop : found->loops) {
    json::Object one = mixJson(mixOf(f.code, loop, arch));
    one["offset"] = loop.header * 16;
    one["depth"] = loop.depth;
    one["innermost"] = loop.isInnermost;
    one["waits"] = loop.isWait;
    loops.push_back(std::move(one));
  }
  out["loops"] = std::move(loops);
  out["indirect_jumps"] = found->hasIndirect;
}

json::Object functionJson(const CubinFunction &f, unsigned arch, bool loops) {
  json::Object out{{"name", json::fixUTF8(f.name)},
                   {"kernel", f.isKernel},
                   {"registers", f.registers},
                   {"stack_bytes", f.frameBytes},
                   {"stack_bytes_with_calls", f.stackBytes},
                   {"static_shared_bytes", f.sharedBytes},
                   {"barriers", f.barriers},
                   {"parameter_bytes", f.parameterBytes},
                   {"constant_bytes", f.constantBytes},
                   {"instructions", mixJson(mixOf(f.code, arch))}};
  if (f.spillStoreBytes)
    out["spill_store_bytes"] = *f.spillStoreBytes;
  if (f.spillLoadBytes)
    out["spill_load_bytes"] = *f.spillLoadBytes;
  if (f.maxBlockThreads())
    out["max_threads"] = f.maxBlockThreads();
  if (loops)
    addLoops(f, arch, out);
  return out;
}

} // namespace

void printReport(const Cubin &cubin, const ReportOptions &options,
                 raw_ostream &out) {
  out << "sm_" << cubin.arch << ", " << cubin.functions.size()
      << " functions\n";
  for (const CubinFunction *f : sorted(cubin)) {
    out << '\n' << (f->isKernel ? "kernel " : "function ");
    // A name is whatever bytes the file has.
    printEscapedString(f->name, out);
    out << '\n';
    printResources(*f, out);
    SassMix mix = mixOf(f->code, cubin.arch);
    out << "  ";
    printClasses(mix, out);
    printNames(mix, "    ", out);
    if (options.loops)
      printLoops(*f, cubin.arch, out);
  }
}

json::Value reportJson(const Cubin &cubin, const ReportOptions &options) {
  json::Array functions;
  for (const CubinFunction *f : sorted(cubin))
    functions.push_back(functionJson(*f, cubin.arch, options.loops));
  return json::Object{{"arch", "sm_" + std::to_string(cubin.arch)},
                      {"functions", std::move(functions)}};
}

} // namespace dsv4::cuda
