// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Lookup and mapping of packed weights. The file may be hostile or cut short:
// each offset is compared with the file's size before it is followed, and sums
// are formed so that they cannot wrap.

#include "runtime/core/weights_file.h"

#include "runtime/base/hash.h"
#include "runtime/core/payload_format.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace dsv4 {
namespace {

/// An open file that closes itself. `name` is for messages.
struct File {
  int fd = -1;
  uint64_t size = 0;
  const char *name = "";
  const char *kind = ""; // "executable" or "weights file"

  ~File() {
    if (fd >= 0)
      close(fd);
  }

  Status open(const char *path, const char *what) {
    name = path;
    kind = what;
    fd = ::open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
      return makeSystemError(errno == ENOENT ? Code::NotFound : Code::Io, errno,
                             "cannot open %s %s", kind, name);
    struct stat info;
    if (fstat(fd, &info) != 0)
      return makeSystemError(Code::Io, errno, "cannot stat %s %s", kind, name);
    if (!S_ISREG(info.st_mode))
      return makeError(Code::Io,
                       "expected a regular file, found another kind "
                       "at %s",
                       name);
    size = static_cast<uint64_t>(info.st_size);
    return okStatus();
  }

  bool holds(uint64_t offset, uint64_t bytes) const {
    return offset <= size && bytes <= size - offset;
  }

  Status truncated(uint64_t expected) const {
    return makeError(Code::Corrupt,
                     "%s is truncated: expected %llu bytes, found %llu in %s; "
                     "copy it again",
                     kind, static_cast<unsigned long long>(expected),
                     static_cast<unsigned long long>(size), name);
  }

  Status corrupt(const char *what) const {
    return makeError(Code::Corrupt, "%s is damaged: %s in %s; copy it again",
                     kind, what, name);
  }

  /// Reads exactly `bytes`; the caller has checked holds().
  Status read(uint64_t offset, void *to, size_t bytes) const {
    char *at = static_cast<char *>(to);
    while (bytes > 0) {
      ssize_t got = pread(fd, at, bytes, static_cast<off_t>(offset));
      if (got < 0 && errno == EINTR)
        continue;
      if (got < 0)
        return makeSystemError(Code::Io, errno, "cannot read %s %s", kind,
                               name);
      if (got == 0)
        return truncated(offset + bytes);
      at += got;
      offset += static_cast<uint64_t>(got);
      bytes -= static_cast<size_t>(got);
    }
    return okStatus();
  }
};

/// Where payload, table and footer lie in the file.
struct Extent {
  uint64_t offset = 0;
  uint64_t bytes = 0;
};

Status readSectionHeader(const File &file, const Elf64_Ehdr &elf,
                         uint64_t index, Elf64_Shdr &section) {
  return file.read(elf.e_shoff + index * sizeof(Elf64_Shdr), &section,
                   sizeof(section));
}

Status readElfHeader(const File &file, Elf64_Ehdr &elf) {
  if (!file.holds(0, sizeof(elf)))
    return file.truncated(sizeof(elf));
  DSV4_RETURN_IF_ERROR(file.read(0, &elf, sizeof(elf)));
  if (memcmp(elf.e_ident, ELFMAG, SELFMAG) != 0 ||
      elf.e_ident[EI_CLASS] != ELFCLASS64 ||
      elf.e_ident[EI_DATA] != ELFDATA2LSB)
    return file.corrupt("expected a 64-bit little-endian ELF header");
  // The section headers are the last thing in the file as it was written, so a
  // cut file shows here.
  uint64_t table = static_cast<uint64_t>(elf.e_shnum) * sizeof(Elf64_Shdr);
  if (elf.e_shoff > UINT64_MAX - table)
    return file.corrupt("section header offset out of range");
  if (!file.holds(elf.e_shoff, table))
    return file.truncated(elf.e_shoff + table);
  if (elf.e_shoff == 0 || elf.e_shnum == 0)
    return makeError(Code::NotFound,
                     "%s %s has no section headers, so its weights cannot be "
                     "found; strip removed them: compile again",
                     file.kind, file.name);
  if (elf.e_shentsize != sizeof(Elf64_Shdr) || elf.e_shstrndx >= elf.e_shnum)
    return file.corrupt("unsound section header table");
  return okStatus();
}

Status findWeightsSection(const File &file, Extent &extent) {
  Elf64_Ehdr elf;
  DSV4_RETURN_IF_ERROR(readElfHeader(file, elf));
  Elf64_Shdr names;
  DSV4_RETURN_IF_ERROR(readSectionHeader(file, elf, elf.e_shstrndx, names));
  constexpr size_t nameBytes = sizeof(DSV4_WEIGHTS_SECTION); // with the zero
  for (uint64_t i = 1; i < elf.e_shnum; ++i) {
    Elf64_Shdr section;
    DSV4_RETURN_IF_ERROR(readSectionHeader(file, elf, i, section));
    if (section.sh_type != SHT_PROGBITS || section.sh_name > names.sh_size ||
        nameBytes > names.sh_size - section.sh_name ||
        !file.holds(names.sh_offset, names.sh_size))
      continue;
    char name[nameBytes];
    DSV4_RETURN_IF_ERROR(
        file.read(names.sh_offset + section.sh_name, name, nameBytes));
    if (memcmp(name, DSV4_WEIGHTS_SECTION, nameBytes) != 0)
      continue;
    if (section.sh_offset > UINT64_MAX - section.sh_size)
      return file.corrupt("weights section out of range");
    if (!file.holds(section.sh_offset, section.sh_size))
      return file.truncated(section.sh_offset + section.sh_size);
    extent = {section.sh_offset, section.sh_size};
    return okStatus();
  }
  return makeError(Code::NotFound,
                   "no section " DSV4_WEIGHTS_SECTION
                   " in %s %s; llvm-strip removes it: compile again",
                   file.kind, file.name);
}

Status checkVersion(const File &file, uint32_t version, uint32_t abi) {
  if (version == DSV4_PAYLOAD_VERSION && abi == DSV4_ABI_VERSION)
    return okStatus();
  return makeError(Code::Mismatch,
                   "expected weights of format %u and ABI %u, found format %u "
                   "and ABI %u in %s; compile again",
                   DSV4_PAYLOAD_VERSION, DSV4_ABI_VERSION, version, abi,
                   file.name);
}

/// Reads the footer at the end of `extent` and proves that payload, table and
/// footer fill the extent exactly.
Status readFooter(const File &file, const Extent &extent,
                  dsv4_payload_footer &footer) {
  if (extent.bytes < sizeof(footer))
    return file.corrupt("weights section shorter than its footer");
  DSV4_RETURN_IF_ERROR(file.read(extent.offset + extent.bytes - sizeof(footer),
                                 &footer, sizeof(footer)));
  if (footer.magic != DSV4_FOOTER_MAGIC)
    return file.corrupt("no footer behind the weights");
  if (footer.footer_hash !=
      xxh64(&footer, offsetof(dsv4_payload_footer, footer_hash)))
    return file.corrupt("footer of the weights does not fit its hash");
  DSV4_RETURN_IF_ERROR(checkVersion(file, footer.version, footer.abi_version));
  uint64_t room = extent.bytes - sizeof(footer);
  uint64_t chunk = footer.chunk_bytes;
  if (chunk == 0 || footer.payload_bytes > room || footer.table_offset > room ||
      footer.table_offset < footer.payload_bytes ||
      footer.table_offset % 8 != 0 ||
      footer.num_chunks !=
          footer.payload_bytes / chunk + (footer.payload_bytes % chunk != 0) ||
      footer.num_chunks > room / 8 ||
      footer.table_offset + 8 * footer.num_chunks != room)
    return file.corrupt("sizes in the footer of the weights contradict");
  return okStatus();
}

/// Maps `extent` so that a payload at a multiple of 2 MiB in the file gets an
/// address that is one too: then the kernel may use huge pages.
Status mapExtent(const File &file, const Extent &extent, WeightsFile &out) {
  uint64_t page = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  uint64_t skip = extent.offset % page;
  if (extent.offset % 64 != 0)
    return file.corrupt("weights are not 64-byte aligned");
  uint64_t align = DSV4_PAYLOAD_ALIGN;
  if (extent.bytes > (UINT64_MAX >> 1) - align - skip)
    return file.corrupt("weights section out of range");
  size_t length = extent.bytes + skip;
  size_t reserved = length + align;
  void *room =
      mmap(nullptr, reserved, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (room == MAP_FAILED)
    return makeSystemError(Code::OutOfMemory, errno,
                           "cannot reserve %zu bytes of addresses for the "
                           "weights of %s",
                           reserved, file.name);
  uintptr_t start = (reinterpret_cast<uintptr_t>(room) + align - 1) & -align;
  void *mapped = mmap(reinterpret_cast<void *>(start), length, PROT_READ,
                      MAP_PRIVATE | MAP_FIXED, file.fd,
                      static_cast<off_t>(extent.offset - skip));
  if (mapped == MAP_FAILED) {
    int error = errno;
    munmap(room, reserved);
    return makeSystemError(Code::Io, error, "cannot map %zu bytes of %s",
                           length, file.name);
  }
  // Advice only: older kernels refuse it for files and lose a few per cent.
  (void)madvise(mapped, length, MADV_HUGEPAGE);
  out.mapping = room;
  out.mappingBytes = reserved;
  out.data = static_cast<const uint8_t *>(mapped) + skip;
  return okStatus();
}

Status openExtent(const File &file, const Extent &extent,
                  WeightsFile &weights) {
  dsv4_payload_footer footer;
  DSV4_RETURN_IF_ERROR(readFooter(file, extent, footer));
  WeightsFile mapped;
  DSV4_RETURN_IF_ERROR(mapExtent(file, extent, mapped));
  mapped.bytes = footer.payload_bytes;
  mapped.chunkBytes = footer.chunk_bytes;
  mapped.numChunks = footer.num_chunks;
  mapped.chunkHashes = mapped.data + footer.table_offset;
  memcpy(mapped.sha256, footer.payload_sha256, sizeof(mapped.sha256));
  if (xxh64(mapped.chunkHashes, 8 * mapped.numChunks) != footer.table_hash) {
    closeWeights(mapped);
    return file.corrupt("hash table of the weights does not fit its hash");
  }
  weights = mapped;
  return okStatus();
}

void formatHex(const uint8_t *bytes, int count, char *out) {
  static const char digits[] = "0123456789abcdef";
  for (int i = 0; i < count; ++i) {
    out[2 * i] = digits[bytes[i] >> 4];
    out[2 * i + 1] = digits[bytes[i] & 15];
  }
  out[2 * count] = 0;
}

Status readSidecarHeader(const File &file, dsv4_sidecar_header &header) {
  if (!file.holds(0, sizeof(header)))
    return file.truncated(DSV4_PAYLOAD_ALIGN);
  DSV4_RETURN_IF_ERROR(file.read(0, &header, sizeof(header)));
  if (header.magic != DSV4_SIDECAR_MAGIC)
    return makeError(Code::Mismatch,
                     "expected a weights file of dsv4c, found something else "
                     "at %s",
                     file.name);
  if (header.header_hash !=
      xxh64(&header, offsetof(dsv4_sidecar_header, header_hash)))
    return file.corrupt("header does not fit its hash");
  DSV4_RETURN_IF_ERROR(checkVersion(file, header.version, header.abi_version));
  if (header.file_bytes > file.size)
    return file.truncated(header.file_bytes);
  if (header.file_bytes != file.size ||
      header.payload_offset > header.file_bytes)
    return file.corrupt("sizes in the header contradict");
  return okStatus();
}

/// The running executable.
const char *executablePath() {
  static const char inProc[] = "/proc/self/exe";
  if (access(inProc, R_OK) == 0)
    return inProc;
  return reinterpret_cast<const char *>(getauxval(AT_EXECFN));
}

} // namespace

Status openEmbeddedWeights(const char *path, WeightsFile &weights) {
  File file;
  DSV4_RETURN_IF_ERROR(file.open(path ? path : executablePath(), "executable"));
  Extent extent;
  DSV4_RETURN_IF_ERROR(findWeightsSection(file, extent));
  return openExtent(file, extent, weights);
}

Status openSidecarWeights(const char *path, const uint8_t sha256[32],
                          WeightsFile &weights) {
  File file;
  DSV4_RETURN_IF_ERROR(file.open(path, "weights file"));
  dsv4_sidecar_header header;
  DSV4_RETURN_IF_ERROR(readSidecarHeader(file, header));
  if (memcmp(header.payload_sha256, sha256, 32) != 0) {
    char expected[17], found[17];
    formatHex(sha256, 8, expected);
    formatHex(header.payload_sha256, 8, found);
    return makeError(Code::Mismatch,
                     "weights file %s belongs to another executable: expected "
                     "weights %s..., found %s...; use the file that was "
                     "written with this executable",
                     path, expected, found);
  }
  Extent extent{header.payload_offset,
                header.file_bytes - header.payload_offset};
  WeightsFile mapped;
  DSV4_RETURN_IF_ERROR(openExtent(file, extent, mapped));
  if (mapped.bytes != header.payload_bytes ||
      memcmp(mapped.sha256, sha256, 32) != 0) {
    closeWeights(mapped);
    return file.corrupt("header and footer contradict");
  }
  weights = mapped;
  return okStatus();
}

Status openProgramWeights(const dsv4_program &program, const char *sidecar,
                          WeightsFile &weights) {
  uint64_t expected = uint64_t(program.limits.weight_bytes);
  if (expected == 0)
    return okStatus();
  char path[4096];
  if (program.weights_mode == 0) {
    DSV4_RETURN_IF_ERROR(openEmbeddedWeights(nullptr, weights));
  } else {
    if (!sidecar) {
      DSV4_RETURN_IF_ERROR(defaultSidecarPath(path, sizeof(path)));
      sidecar = path;
    }
    DSV4_RETURN_IF_ERROR(
        openSidecarWeights(sidecar, program.weights_hash, weights));
  }
  if (weights.bytes >= expected)
    return okStatus();
  Status status = makeError(Code::Corrupt,
                            "expected %llu bytes of weights, found %llu; "
                            "compile the model again",
                            static_cast<unsigned long long>(expected),
                            static_cast<unsigned long long>(weights.bytes));
  closeWeights(weights);
  return status;
}

Status verifyChunks(const WeightsFile &weights, uint64_t begin, uint64_t end) {
  if (end > weights.numChunks)
    end = weights.numChunks;
  for (uint64_t i = begin; i < end; ++i) {
    uint64_t offset = i * weights.chunkBytes;
    uint64_t left = weights.bytes - offset;
    uint64_t bytes = left < weights.chunkBytes ? left : weights.chunkBytes;
    uint64_t expected;
    memcpy(&expected, weights.chunkHashes + 8 * i, 8);
    if (xxh64(weights.data + offset, bytes) != expected)
      return makeError(Code::Corrupt,
                       "weights are damaged: chunk %llu of %llu (bytes %llu to "
                       "%llu) does not fit its hash; copy the file again",
                       static_cast<unsigned long long>(i),
                       static_cast<unsigned long long>(weights.numChunks),
                       static_cast<unsigned long long>(offset),
                       static_cast<unsigned long long>(offset + bytes));
  }
  return okStatus();
}

void closeWeights(WeightsFile &weights) {
  if (weights.mapping)
    munmap(weights.mapping, weights.mappingBytes);
  weights = WeightsFile();
}

Status defaultSidecarPath(char *path, size_t size) {
  static const char suffix[] = ".weights";
  ssize_t length = size > sizeof(suffix)
                       ? readlink("/proc/self/exe", path, size - sizeof(suffix))
                       : 0;
  if (length < 0)
    return makeSystemError(Code::Io, errno, "cannot read /proc/self/exe");
  if (length == 0 || static_cast<size_t>(length) == size - sizeof(suffix))
    return makeError(Code::InvalidArgument,
                     "the path of the executable is too long; name the weights "
                     "file with --weights");
  memcpy(path + length, suffix, sizeof(suffix));
  return okStatus();
}

} // namespace dsv4
