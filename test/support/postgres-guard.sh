#!/bin/sh
# Waits beside a test cluster. Its standard input ends when the test process ends, however it ended; then nothing may stay behind.
# $1: the cluster's folder, which holds data/postmaster.pid
read -r _
pid=$(head -n 1 "$1/data/postmaster.pid" 2>/dev/null)
if [ -n "$pid" ]; then
  # A process that merely got the number of one long dead is nobody to touch.
  command=$(tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null || ps -o command= -p "$pid" 2>/dev/null)
  case "$command" in
  *"$1/data"*)
    kill -QUIT "$pid" 2>/dev/null
    while kill -0 "$pid" 2>/dev/null; do sleep 0.1; done
    ;;
  esac
fi
rm -rf "$1"
