// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See safetensors_io.h. The header of a token file is scanned for the one entry
// that is wanted, by depth and strings; the rest of JSON is not looked at.

#include "runtime/serve/safetensors_io.h"

#include "runtime/serve/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace dsv4::serve {

namespace {

/// Behind the string that starts at `at` (its first quote); the end of the text
/// if it is not closed.
const char *skipString(const char *at) {
  for (++at; *at && *at != '"'; ++at)
    at += *at == '\\' && at[1];
  return *at ? at + 1 : at;
}

const char *skipSpace(const char *at) { return at + strspn(at, " \t\r\n"); }

/// The value of `key` (with quotes) in the object that starts at `object`: of
/// this object itself, not of one inside. Null if it is not there, or twice.
const char *valueOf(const char *object, const char *key) {
  const char *found = nullptr;
  int depth = 0;
  for (const char *at = object; *at;) {
    if (*at == '"') {
      const char *end = skipString(at), *next = skipSpace(end);
      bool isKey = depth == 1 && *next == ':' &&
                   size_t(end - at) == strlen(key) &&
                   !memcmp(at, key, strlen(key));
      if (isKey && found)
        return nullptr;
      if (isKey)
        found = skipSpace(next + 1);
      at = end;
      continue;
    }
    depth += *at == '{' || *at == '[';
    depth -= *at == '}' || *at == ']';
    if (depth == 0)
      return found;
    ++at;
  }
  return nullptr;
}

/// Reads "[a, b]"; false if there are not exactly `count` numbers.
bool readNumbers(const char *at, uint64_t *to, int count) {
  if (!at || *at++ != '[')
    return false;
  for (int i = 0; i < count; ++i) {
    while (*at == ' ' || *at == ',')
      ++at;
    if (*at < '0' || *at > '9')
      return false;
    char *end;
    errno = 0;
    to[i] = strtoull(at, &end, 10);
    if (errno)
      return false;
    at = end;
  }
  while (*at == ' ')
    ++at;
  return *at == ']';
}

Status parseTokens(const char *path, const char *bytes, uint64_t size,
                   char *header, TokenFile &file) {
  uint64_t length;
  memcpy(&length, bytes, 8);
  if (length > size - 8 || length >= (1u << 20))
    return makeError(
        Code::Corrupt,
        "%s: header length %llu does not fit the file's %llu bytes", path,
        (unsigned long long)length, (unsigned long long)size);
  memcpy(header, bytes + 8, length);
  header[length] = 0;
  const char *object = skipSpace(header);
  const char *entry = *object == '{' ? valueOf(object, "\"tokens\"") : nullptr;
  const char *dtype =
      entry && *entry == '{' ? valueOf(entry, "\"dtype\"") : nullptr;
  uint64_t shape, offsets[2];
  if (!dtype || strncmp(dtype, "\"I32\"", 5) ||
      !readNumbers(valueOf(entry, "\"shape\""), &shape, 1) ||
      !readNumbers(valueOf(entry, "\"data_offsets\""), offsets, 2))
    return makeError(Code::Corrupt,
                     "%s: expected an I32 tensor 'tokens' of one dimension",
                     path);
  uint64_t data = size - 8 - length;
  if (offsets[0] > offsets[1] || offsets[1] > data || shape == 0 ||
      shape > data / 4 || offsets[1] - offsets[0] != shape * 4 ||
      (8 + length + offsets[0]) % 4)
    return makeError(
        Code::Corrupt,
        "%s: tokens: shape [%llu] and data_offsets [%llu, %llu] do "
        "not fit %llu bytes of data",
        path, (unsigned long long)shape, (unsigned long long)offsets[0],
        (unsigned long long)offsets[1], (unsigned long long)data);
  file.tokens = (const int32_t *)(bytes + 8 + length + offsets[0]);
  file.count = int64_t(shape);
  return okStatus();
}

char headerText[(1 << 20) + 1];

} // namespace

Status openTokens(const char *path, TokenFile &file) {
  int handle = open(path, O_RDONLY | O_CLOEXEC);
  if (handle < 0)
    return makeSystemError(Code::NotFound, errno, "%s: cannot be opened", path);
  struct stat status;
  uint64_t size = fstat(handle, &status) == 0 && S_ISREG(status.st_mode)
                      ? status.st_size
                      : 0;
  void *bytes = size < 8
                    ? MAP_FAILED
                    : mmap(nullptr, size, PROT_READ, MAP_PRIVATE, handle, 0);
  close(handle);
  if (bytes == MAP_FAILED)
    return makeError(Code::Corrupt, "%s: expected a safetensors file", path);
  return parseTokens(path, (const char *)bytes, size, headerText, file);
}

Status LogitsWriter::open(const char *path, int64_t rows, int64_t columns) {
  DSV4_RETURN_IF_ERROR(part.open(path));
  char header[256];
  int length = snprintf(header, sizeof(header) - 8,
                        "{\"logits\":{\"dtype\":\"F32\",\"shape\":[%lld,%lld],"
                        "\"data_offsets\":[0,%lld]}}",
                        (long long)rows, (long long)columns,
                        (long long)(rows * columns * 4));
  while (length % 8)
    header[length++] = ' ';
  uint64_t size = uint64_t(length);
  DSV4_RETURN_IF_ERROR(writeAll(part.file(), &size, 8));
  return writeAll(part.file(), header, size);
}

Status LogitsWriter::append(const float *values, int64_t count) {
  return writeAll(part.file(), values, size_t(count) * 4);
}

} // namespace dsv4::serve
