#!/usr/bin/env bash
# Write the Python code of the contracts into a folder (default: generated/, which nobody edits).
# Run by `make proto`; `make lint` runs it into a temporary folder and compares.
set -euo pipefail
cd "$(dirname "$0")/.."
out=${1:-generated}
export PATH="$PWD/.venv/bin:$PATH"
rm -rf "$out/vigil"
mkdir -p "$out/vigil"
python -m grpc_tools.protoc -I proto --python_out="$out" --mypy_out="quiet:$out" \
    --grpc_python_out="$out" --mypy_grpc_out="quiet:$out" proto/vigil/v1/*.proto
# Files without a service still get an empty gRPC module; leave those out.
for file in "$out"/vigil/v1/*_pb2_grpc.py; do
    case $file in *_service_pb2_grpc.py) ;; *) rm -f "$file" "${file}i" ;; esac
done
touch "$out/vigil/__init__.py" "$out/vigil/v1/__init__.py" "$out/vigil/py.typed"
