#!/bin/bash
# SPDX-FileCopyrightText: dsv4c authors
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# From a bare Debian 12 to an answer: installs what is missing, builds
# compile-model, compiles the sample model for this CPU, asks it a question.
# A second run only asks.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

utils/install-deps.sh
utils/build.sh compile-model

if [ ! -x build/bin/compile-model ]; then
  echo "quickstart: build/bin/compile-model was not built" >&2
  exit 1
fi

# Compile again only when the compiler or the checkpoint is newer.
if [ ! -x build/tiny-chat ] ||
  [ -n "$(find build/bin/compile-model samples/tiny-chat -type f \
    -newer build/tiny-chat -print -quit)" ]; then
  build/bin/compile-model samples/tiny-chat -o build/tiny-chat
fi

prompt=${1:-What is the capital of France?}
echo "> build/tiny-chat run -p \"$prompt\""
build/tiny-chat run -p "$prompt"
echo
