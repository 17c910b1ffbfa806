#!/bin/sh
# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Process 1 of a lab host: gives it a root file system of its own (this machine's, with every write kept aside in memory),
# its own /run, /tmp, /proc and /sys, its Docker disk, then waits. When it ends, the kernel ends everything in the host.
# usage: machine.sh NAME RUN DATA CACHE
set -eu
name=$1 run=$2 data=$3 cache=$4

# /proc is still the outer one: the number read here is the one that nsenter needs
read -r outer _ < /proc/self/stat
hostname "$name"

mount -t tmpfs -o mode=755 slipway-lab /mnt
mkdir /mnt/upper /mnt/work /mnt/root
root=/mnt/root
mount -t overlay -o lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work slipway-lab "$root"
if mountpoint -q /usr; then mount --bind /usr "$root/usr"; fi
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
mount --rbind /sys/fs/cgroup "$root/sys/fs/cgroup"
mount --rbind /dev "$root/dev"
mount -t tmpfs -o mode=755 tmpfs "$root/run"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
[ -e "$root/var/run" ] || { mkdir -p "$root/var" && ln -s /run "$root/var/run"; }
mkdir -p "$root/run/sshd" "$root/run/lock" "$root$run" "$root$cache" "$root/var/lib/docker" "$data/docker"
mount --bind "$run" "$root$run"
mount --bind "$cache" "$root$cache"
mount --bind "$data/docker" "$root/var/lib/docker"
cp -a "$data/etc/." "$root/etc/"
mkdir -p "$root/home/root"

cd "$root"
pivot_root . mnt
umount -l /mnt
echo "$outer" > "$run/$name/init.pid"
exec /usr/bin/tini -- sleep infinity
