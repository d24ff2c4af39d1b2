#pragma once

#include <sys/mount.h>

#include <cerrno>
#include <filesystem>

namespace cosformer::test {

/// A file system in memory, mounted on a folder for as long as this lives, where the machine allows it.
class SmallDisk {
 public:
  /// @param options as mount takes them, such as "size=1m"
  SmallDisk(std::filesystem::path folder, const char* options) : folder_(std::move(folder)) {
    std::filesystem::create_directories(folder_);
    error_ = ::mount("tmpfs", folder_.c_str(), "tmpfs", 0, options) == 0 ? 0 : errno;
  }
  ~SmallDisk() {
    if (error_ == 0) ::umount2(folder_.c_str(), MNT_DETACH);
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;

  /// Why it is not there; 0 if it is.
  int error() const { return error_; }
  void resize(const char* options) const { remount(0, options); }
  void make_read_only() const { remount(MS_RDONLY, nullptr); }

 private:
  void remount(unsigned long flags, const char* options) const {
    ::mount("tmpfs", folder_.c_str(), "tmpfs", MS_REMOUNT | flags, options);
  }

  std::filesystem::path folder_;
  int error_;
};

}  // namespace cosformer::test
