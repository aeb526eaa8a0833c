// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Streams the payload and writes the tables around it. The section header table
// of the linked ELF is written anew behind the payload with one entry more, so
// that tools which keep sections (GNU strip, objcopy) keep the weights.

#include "compiler/link/WeightsSection.h"

#include "runtime/abi/program.h"
#include "runtime/base/hash.h"
#include "runtime/core/payload_format.h"

#include "llvm/BinaryFormat/ELF.h"

#include <cstddef>
#include <cstring>

using namespace llvm;

namespace dsv4 {

template <typename T> static StringRef bytesOf(const T &value) {
  return StringRef(reinterpret_cast<const char *>(&value), sizeof(T));
}

/// Our own linker wrote the file, so this finds mistakes of the caller only.
static Error checkElf(StringRef elf) {
  ELF::Elf64_Ehdr header;
  if (elf.size() < sizeof(header))
    return createStringError("expected a linked executable, found " +
                             Twine(elf.size()) + " bytes");
  std::memcpy(&header, elf.data(), sizeof(header));
  uint64_t table = uint64_t(header.e_shnum) * sizeof(ELF::Elf64_Shdr);
  if (!header.checkMagic() || header.getFileClass() != ELF::ELFCLASS64 ||
      header.e_shentsize != sizeof(ELF::Elf64_Shdr) ||
      header.e_shstrndx >= header.e_shnum || table > elf.size() ||
      header.e_shoff > elf.size() - table)
    return createStringError("expected a linked 64-bit ELF executable with "
                             "section headers, found another kind of file");
  return Error::success();
}

Expected<PayloadWriter> PayloadWriter::embed(StringRef elf, StringRef path) {
  if (Error error = checkElf(elf))
    return error;
  PayloadWriter writer;
  Expected<AtomicFile> file = AtomicFile::create(path);
  if (!file)
    return file.takeError();
  writer.file = std::move(*file);
  writer.elfHeaderAndSections = elf.str();
  if (Error error = writer.file.write(elf))
    return error;
  if (Error error = writer.file.padTo(DSV4_PAYLOAD_ALIGN))
    return error;
  writer.payloadStart = writer.file.position();
  writer.chunk.reserve(DSV4_CHUNK_BYTES);
  return std::move(writer);
}

Expected<PayloadWriter> PayloadWriter::sidecar(StringRef path) {
  PayloadWriter writer;
  Expected<AtomicFile> file = AtomicFile::create(path);
  if (!file)
    return file.takeError();
  writer.file = std::move(*file);
  writer.isSidecar = true;
  // The header goes here once the identity is known.
  if (Error error =
          writer.file.write(std::string(sizeof(dsv4_sidecar_header), '\0')))
    return error;
  if (Error error = writer.file.padTo(DSV4_PAYLOAD_ALIGN))
    return error;
  writer.payloadStart = writer.file.position();
  writer.chunk.reserve(DSV4_CHUNK_BYTES);
  return std::move(writer);
}

Error PayloadWriter::flushChunk() {
  if (chunk.empty())
    return Error::success();
  chunkHashes.push_back(xxh64(chunk.data(), chunk.size()));
  sha.update(StringRef(chunk));
  Error error = file.write(chunk);
  chunk.clear();
  return error;
}

Error PayloadWriter::append(StringRef bytes) {
  info.bytes += bytes.size();
  while (!bytes.empty()) {
    StringRef part = bytes.take_front(DSV4_CHUNK_BYTES - chunk.size());
    chunk.append(part.data(), part.size());
    bytes = bytes.drop_front(part.size());
    if (chunk.size() == DSV4_CHUNK_BYTES)
      if (Error error = flushChunk())
        return error;
  }
  return Error::success();
}

Error PayloadWriter::writeTableAndFooter() {
  if (Error error = file.padTo(8))
    return error;
  StringRef table(reinterpret_cast<const char *>(chunkHashes.data()),
                  chunkHashes.size() * 8);
  dsv4_payload_footer footer = {};
  footer.magic = DSV4_FOOTER_MAGIC;
  footer.version = DSV4_PAYLOAD_VERSION;
  footer.abi_version = DSV4_ABI_VERSION;
  footer.payload_bytes = info.bytes;
  footer.chunk_bytes = DSV4_CHUNK_BYTES;
  footer.num_chunks = info.numChunks;
  footer.table_offset = file.position() - payloadStart;
  footer.table_hash = xxh64(table.data(), table.size());
  std::memcpy(footer.payload_sha256, info.sha256.data(), 32);
  footer.footer_hash =
      xxh64(&footer, offsetof(dsv4_payload_footer, footer_hash));
  if (Error error = file.write(table))
    return error;
  return file.write(bytesOf(footer));
}

Error PayloadWriter::writeSectionHeaders(uint64_t sectionBytes) {
  StringRef elf = elfHeaderAndSections;
  ELF::Elf64_Ehdr header;
  std::memcpy(&header, elf.data(), sizeof(header));
  std::vector<ELF::Elf64_Shdr> sections(header.e_shnum);
  std::memcpy(sections.data(), elf.data() + header.e_shoff,
              sections.size() * sizeof(ELF::Elf64_Shdr));

  ELF::Elf64_Shdr &names = sections[header.e_shstrndx];
  std::string nameTable = elf.substr(names.sh_offset, names.sh_size).str();
  ELF::Elf64_Shdr weights = {};
  weights.sh_name = nameTable.size();
  weights.sh_type = ELF::SHT_PROGBITS;
  weights.sh_offset = payloadStart;
  weights.sh_size = sectionBytes;
  // Not for the loader (the section has no address) but for strip and objcopy,
  // which move sections and keep their alignment.
  weights.sh_addralign = DSV4_PAYLOAD_ALIGN;
  nameTable += StringRef(DSV4_WEIGHTS_SECTION, sizeof(DSV4_WEIGHTS_SECTION));

  names.sh_offset = file.position();
  names.sh_size = nameTable.size();
  sections.push_back(weights);
  if (Error error = file.write(nameTable))
    return error;
  if (Error error = file.padTo(8))
    return error;
  header.e_shoff = file.position();
  header.e_shnum = sections.size();
  if (Error error =
          file.write(StringRef(reinterpret_cast<const char *>(sections.data()),
                               sections.size() * sizeof(ELF::Elf64_Shdr))))
    return error;
  return file.overwrite(0, bytesOf(header));
}

Error PayloadWriter::writeSidecarHeader() {
  dsv4_sidecar_header header = {};
  header.magic = DSV4_SIDECAR_MAGIC;
  header.version = DSV4_PAYLOAD_VERSION;
  header.abi_version = DSV4_ABI_VERSION;
  header.payload_offset = payloadStart;
  header.payload_bytes = info.bytes;
  header.file_bytes = file.position();
  std::memcpy(header.payload_sha256, info.sha256.data(), 32);
  header.header_hash =
      xxh64(&header, offsetof(dsv4_sidecar_header, header_hash));
  return file.overwrite(0, bytesOf(header));
}

Expected<PayloadInfo> PayloadWriter::seal() {
  if (Error error = flushChunk())
    return error;
  info.numChunks = chunkHashes.size();
  info.sha256 = sha.final();
  if (Error error = writeTableAndFooter())
    return error;
  uint64_t sectionBytes = file.position() - payloadStart;
  if (Error error =
          isSidecar ? writeSidecarHeader() : writeSectionHeaders(sectionBytes))
    return error;
  if (Error error = file.sync())
    return error;
  return info;
}

Error PayloadWriter::commit() { return file.commit(isSidecar ? 0644 : 0755); }

Error writeExecutable(StringRef elf, StringRef path) {
  if (Error error = checkElf(elf))
    return error;
  Expected<AtomicFile> file = AtomicFile::create(path);
  if (!file)
    return file.takeError();
  if (Error error = file->write(elf))
    return error;
  return file->commit(0755);
}

} // namespace dsv4
