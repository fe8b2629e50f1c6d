#!/usr/bin/env bash
# The tests and the demo of a PACS run Orthanc (DICOMweb) and dcmtk (DIMSE, converters) on loopback. Finds them, or
# installs Debian's where that is possible.
set -euo pipefail
PATH=$PATH:/usr/sbin
plugin=/usr/share/orthanc/plugins/libOrthancDicomWeb.so
found=yes
for name in Orthanc dcmqrscp storescu img2dcm dciodvfy; do
  command -v "$name" >/dev/null || found=
done
if [ -n "$found" ] && [ -e "$plugin" ]; then exit 0; fi
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  echo "Installing Orthanc and dcmtk for the PACS." >&2
  # Debian would start a server of its own on the well-known ports: it is not wanted.
  policy=/usr/sbin/policy-rc.d
  if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod +x "$policy"
    trap 'rm -f "$policy"' EXIT
  fi
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
    orthanc orthanc-dicomweb dcmtk dicom3tools >/dev/null
  exit 0
fi
echo "A PACS needs Orthanc and dcmtk (Debian: apt-get install orthanc orthanc-dicomweb dcmtk dicom3tools)." >&2
exit 10
