// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See Fusion.h.

#include "dialects/dsv4/Transforms/Fusion.h"

using namespace mlir;

namespace dsv4::graph {

StringRef traceName(Value V) {
  auto Result = dyn_cast_or_null<OpResult>(V);
  if (!Result)
    return "";
  auto Names = Result.getOwner()->getAttrOfType<ArrayAttr>("trace");
  if (!Names || Names.size() <= Result.getResultNumber())
    return "";
  auto Name = dyn_cast<StringAttr>(Names[Result.getResultNumber()]);
  return Name ? Name.getValue() : "";
}

void takeTraceNames(Operation *Op, ArrayRef<Value> Replaced) {
  SmallVector<StringRef> Names;
  bool Any = false;
  for (Value V : Replaced) {
    Names.push_back(traceName(V));
    Any |= !Names.back().empty();
  }
  if (Any)
    Op->setAttr("trace", Builder(Op->getContext()).getStrArrayAttr(Names));
}

Location fuseLocations(ArrayRef<Operation *> Parts) {
  SmallVector<Location> Locs;
  for (Operation *Part : Parts)
    Locs.push_back(Part->getLoc());
  return FusedLoc::get(Parts.front()->getContext(), Locs);
}

} // namespace dsv4::graph
