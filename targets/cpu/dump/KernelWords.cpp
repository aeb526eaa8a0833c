// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See KernelWords.h. Helpers are named KIND_PART_PART...: a format, or a letter
// and a number.

#include "targets/cpu/dump/KernelWords.h"

#include "targets/common/TuningProfile.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/ADT/Twine.h"

using namespace llvm;

namespace dsv4::cpu {

static std::string counted(StringRef Number, const char *One) {
  return (Number + " " + One + (Number == "1" ? "" : "s")).str();
}

/// A part such as "k4096".
static std::string numberWords(char Letter, StringRef Number) {
  switch (Letter) {
  case 'k':
    return "K = " + Number.str();
  case 'x':
    return counted(Number, "row");
  case 't':
    return counted(Number, "tile");
  case 'b':
    return counted(Number, "block") + " of 16 rows";
  case 's':
    return "blocks of " + Number.str() + " k";
  case 'n':
    return "only " + Number.str() + " outputs";
  default:
    return Letter + Number.str();
  }
}

/// The kinds of the helpers of matrix products.
static StringRef kindWords(StringRef Kind) {
  return StringSwitch<StringRef>(Kind)
      .Case("direct", "tiles straight from packed weights")
      .Cases({"few", "lines"}, "a block straight from packed weights")
      .Case("decode", "packed weights into the panel")
      .Case("panel", "rows times the panel")
      .Case("unit", "tiles times rows on the matrix unit")
      .Case("block", "a block for all tiles and rows")
      .Default(Kind);
}

std::string helperWords(StringRef Name) {
  SmallVector<StringRef> Parts;
  Name.split(Parts, '_');
  std::string Out = kindWords(Parts[0]).str();
  bool HasFormat = false;
  for (StringRef Part : ArrayRef(Parts).drop_front()) {
    Out += ", ";
    if (is_contained(TileFormatNames, Part)) {
      // The first one is that of the weights.
      Out += Part.upper() + (HasFormat ? " results" : " weights");
      HasFormat = true;
    } else if (Part.size() > 1 && all_of(Part.drop_front(), isDigit)) {
      Out += numberWords(Part[0], Part.drop_front());
    } else {
      Out += Part;
    }
  }
  return Out;
}

} // namespace dsv4::cpu
