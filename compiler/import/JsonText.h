// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How messages quote a JSON value that was refused. The value is hostile:
// printing recurses per level of nesting, so a deep one is only described.

#ifndef DSV4_COMPILER_IMPORT_JSONTEXT_H
#define DSV4_COMPILER_IMPORT_JSONTEXT_H

#include "nlohmann/json.hpp"

#include <string>

namespace dsv4 {

/// The value as JSON text of at most 200 bytes.
inline std::string jsonText(const nlohmann::json &Value) {
  for (const nlohmann::json &Inner : Value)
    if (Value.is_structured() && Inner.is_structured())
      for (const nlohmann::json &Leaf : Inner)
        if (Leaf.is_structured())
          return "a deeply nested value";
  std::string Text = Value.dump(-1, ' ', /*ensure_ascii=*/true);
  if (Text.size() > 200)
    Text = Text.substr(0, 197) + "...";
  return Text;
}

} // namespace dsv4

#endif // DSV4_COMPILER_IMPORT_JSONTEXT_H
