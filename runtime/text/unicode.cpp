// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Look-up in the generated two-level class table.

#include "runtime/text/unicode.h"

namespace dsv4::text {

#include "runtime/text/unicode_tables.inc"

uint8_t charClass(char32_t codePoint) {
  if (codePoint > 0x10FFFF)
    return 0;
  return blockClasses[blockIndex[codePoint >> 8]][codePoint & 0xFF];
}

const unsigned char *const asciiClasses = blockClasses[0];
static_assert(sizeof(blockIndex) == 0x1100);

} // namespace dsv4::text
