// The one unit that includes Gloo's headers, which LibTorch's wheel lacks: Debian's libgloo-dev has them.

#include "train/ranks/gloo.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
// As LibTorch was built.
#define USE_C10D_GLOO
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>

namespace cosformer::train {
namespace {

/// This host's address on the way to another, in numbers; "127.0.0.1" if there is no way.
std::string own_address(const std::string& address, uint16_t port) {
  addrinfo hints{}, *found = nullptr;
  hints.ai_socktype = SOCK_DGRAM;
  std::string own = "127.0.0.1";
  if (getaddrinfo(address.c_str(), std::to_string(port).c_str(), &hints, &found) != 0) return own;
  // A datagram socket that connects sends nothing: the system picks the route.
  const int socket = ::socket(found->ai_family, SOCK_DGRAM, 0);
  sockaddr_storage name{};
  socklen_t size = sizeof name;
  char text[NI_MAXHOST];
  if (socket >= 0 && ::connect(socket, found->ai_addr, found->ai_addrlen) == 0 &&
      ::getsockname(socket, reinterpret_cast<sockaddr*>(&name), &size) == 0 &&
      ::getnameinfo(reinterpret_cast<sockaddr*>(&name), size, text, sizeof text, nullptr, 0,
                    NI_NUMERICHOST) == 0) {
    own = text;
  }
  if (socket >= 0) ::close(socket);
  freeaddrinfo(found);
  return own;
}

std::shared_ptr<gloo::transport::Device> device(const std::string& address, uint16_t port) {
  if (const char* interface = std::getenv("GLOO_SOCKET_IFNAME"))
    return c10d::ProcessGroupGloo::createDeviceForInterface(interface);
  return c10d::ProcessGroupGloo::createDeviceForHostname(own_address(address, port));
}

}  // namespace

c10::intrusive_ptr<c10d::ProcessGroup> gloo_group(const c10::intrusive_ptr<c10d::Store>& store, int64_t rank,
                                                  int64_t count, const std::string& address, uint16_t port) {
  // Watch ends waits that last too long; a rank may compute for any time.
  auto options = c10d::ProcessGroupGloo::Options::create(std::chrono::hours(24 * 365));
  options->devices.push_back(device(address, port));
  const auto backend = c10::make_intrusive<c10d::ProcessGroupGloo>(store, static_cast<int>(rank),
                                                                   static_cast<int>(count), options);
  auto group =
      c10::make_intrusive<c10d::ProcessGroup>(store, static_cast<int>(rank), static_cast<int>(count));
  group->setBackend(c10::DeviceType::CPU, c10d::ProcessGroup::BackendType::GLOO, backend);
  group->setDefaultBackend(c10d::ProcessGroup::BackendType::GLOO);
  return group;
}

}  // namespace cosformer::train
