#include "train/ranks/ranks.h"

#include <unistd.h>

#include <array>
#include <cstdlib>
#include <future>
#include <sstream>
#include <thread>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include "train/ranks/gloo.h"
#include "train/ranks/nccl.h"

namespace cosformer::train {
namespace {

using std::chrono::milliseconds;

std::vector<uint8_t> bytes(const std::string& text) {
  return {text.begin(), text.end()};
}

std::string text(const std::vector<uint8_t>& value) {
  return {value.begin(), value.end()};
}

std::string host_name() {
  std::array<char, 256> name{};
  ::gethostname(name.data(), name.size() - 1);
  return name.data();
}

std::string seconds(milliseconds time) {
  std::ostringstream text;
  text << static_cast<double>(time.count()) / 1000 << " s";
  return text.str();
}

std::string store_name(const RankEnvironment& environment) {
  return environment.address + ':' + std::to_string(environment.port);
}

c10::intrusive_ptr<c10d::Store> open_store(const RankEnvironment& environment, milliseconds timeout) {
  c10d::TCPStoreOptions options;
  options.port = environment.port;
  options.isServer = environment.rank == 0 && !environment.has_agent_store;
  options.waitWorkers = false;
  options.timeout = timeout;
  if (environment.listener) {
    options.masterListenFd = environment.listener;
    options.useLibUV = false;
  }
  using Store = c10::intrusive_ptr<c10d::Store>;
  // A thread of its own, since it waits for ever where something takes the connection and says nothing.
  std::packaged_task<Store()> opening([address = environment.address, options]() -> Store {
    return c10::make_intrusive<c10d::TCPStore>(address, options);
  });
  std::future<Store> store = opening.get_future();
  std::thread(std::move(opening)).detach();
  try {
    if (store.wait_for(timeout) == std::future_status::ready) return store.get();
  } catch (const std::exception& error) {
    const std::string what = error.what();
    if (options.isServer)
      throw RankError(store_name(environment) + ": cannot listen: " + what.substr(0, what.find('\n')));
  }
  const char* who = environment.has_agent_store ? "the launcher" : options.isServer ? "itself" : "rank 0";
  throw RankError(store_name(environment) + ": rank " + std::to_string(environment.rank) + " expected " +
                  who + " to answer there (MASTER_ADDR, MASTER_PORT), got none within " + seconds(timeout));
}

/// c10d also logs what it throws, with stack traces.
void silence_log() {
  if (std::getenv("TORCH_CPP_LOG_LEVEL") == nullptr) FLAGS_caffe2_log_level = c10::GLOG_FATAL;
}

}  // namespace

void RankGroup::sum(torch::Tensor tensor) {
  begin_sum(std::move(tensor))->waitAndThrow();
}

template <class Start>
c10::intrusive_ptr<c10::ivalue::Future> RankGroup::begin(const Start& start) {
  c10::intrusive_ptr<c10d::Work> work;
  try {
    work = start();
  } catch (const std::exception& error) {
    watch_.explain(error.what());
  }
  return watch_.guard(work);
}

c10::intrusive_ptr<c10::ivalue::Future> RankGroup::begin_sum(torch::Tensor tensor) {
  std::vector<torch::Tensor> tensors{std::move(tensor)};
  return begin([&] { return group_->allreduce(tensors); });
}

std::vector<torch::Tensor> RankGroup::gather(const torch::Tensor& tensor) {
  std::vector<torch::Tensor> own{tensor.contiguous()};
  std::vector<std::vector<torch::Tensor>> all(1);
  for (int64_t i = 0; i < count(); ++i) all[0].push_back(torch::empty_like(own[0]));
  gathered_bytes_ += static_cast<int64_t>(own[0].nbytes());
  begin([&] { return group_->allgather(all, own); })->waitAndThrow();
  return all[0];
}

void RankGroup::broadcast(torch::Tensor tensor) {
  std::vector<torch::Tensor> tensors{std::move(tensor)};
  begin([&] { return group_->broadcast(tensors); })->waitAndThrow();
}

std::string RankGroup::broadcast(std::string bytes) {
  torch::Tensor size = torch::tensor(static_cast<int64_t>(bytes.size()));
  broadcast(size);
  bytes.resize(static_cast<std::size_t>(size.item<int64_t>()));
  if (!bytes.empty())
    broadcast(torch::from_blob(bytes.data(), {static_cast<int64_t>(bytes.size())}, torch::kUInt8));
  return bytes;
}

Ranks::Ranks(const RankEnvironment& environment, milliseconds timeout, torch::Device device)
    : environment_(environment), timeout_(timeout), device_(device) {
  silence_log();
  server_ = open_store(environment, timeout);
  // A launcher's store outlives the attempts.
  const auto of_attempt = [&](c10::intrusive_ptr<c10d::Store> store) {
    return c10::make_intrusive<c10d::PrefixStore>("cosformer/" + std::to_string(environment.attempt),
                                                  std::move(store));
  };
  store_ = of_attempt(server_);
  // A launcher gives its store to its own ranks alone.
  if (!environment.has_agent_store) take_place();
  meet();
  watch_ =
      std::make_unique<Watch>(of_attempt(server_->clone()), store_name(environment), hosts_, rank(), timeout);
  add_group("all", rank(), count());
}

Ranks::~Ranks() {
  if (watch_ && watch_->failed()) {
    // Their threads wait for a rank that does not answer; the process ends without them.
    for (const auto& group : groups_) c10::raw::intrusive_ptr::incref(group->group().get());
    c10::raw::intrusive_ptr::incref(server_.get());
    watch_.reset();
    return;
  }
  watch_.reset();
  try {
    // Nothing waits on a GPU any more; NCCL's part complains if it is not ended by hand.
    for (const auto& group : groups_)
      if (device_.is_cuda()) group->group()->getBackend(c10::DeviceType::CUDA)->abort();
    // The store is gone for all when rank 0 ends.
    const auto end = std::chrono::steady_clock::now() + timeout_;
    while (is_first() && !environment_.has_agent_store && !Watch::all_ended(*store_, hosts_.size()) &&
           std::chrono::steady_clock::now() < end)
      std::this_thread::sleep_for(milliseconds(10));
  } catch (const std::exception&) {
    // Whoever kept the store has gone already.
  }
}

void Ranks::take_place() {
  const std::string number = std::to_string(rank()), size = std::to_string(count());
  if (store_->compareSet("size", "", size) == size && store_->add("place/" + number, 1) == 1) return;
  throw RankError(store_name(environment_) + ": rank " + number + " of " + size +
                  " expected its own run there (MASTER_ADDR, MASTER_PORT), got another one");
}

void Ranks::meet() {
  const auto key = [](int64_t rank) { return "host/" + std::to_string(rank); };
  std::vector<std::string> keys;
  for (int64_t other = 0; other < count(); ++other) keys.push_back(key(other));
  try {
    store_->set(key(rank()), bytes(host_name()));
    store_->wait(keys, timeout_);
    for (const auto& value : store_->multiGet(keys)) hosts_.push_back(text(value));
  } catch (const std::exception& error) {
    std::string missing;
    for (int64_t other = 0; other < count(); ++other) {
      if (!store_->check({key(other)})) missing += (missing.empty() ? "" : ", ") + std::to_string(other);
    }
    if (missing.empty()) throw RankError(store_name(environment_) + ": " + error.what());
    throw RankError("expected " + std::to_string(count()) + " ranks at " + store_name(environment_) +
                    ", got none within " + seconds(timeout_) + " of rank " + missing);
  }
}

RankGroup& Ranks::add_group(const std::string& name, int64_t rank, int64_t count) {
  try {
    const auto store = c10::make_intrusive<c10d::PrefixStore>(name, store_);
    const auto group = gloo_group(store, rank, count, environment_.address, environment_.port);
    if (device_.is_cuda()) {
      const auto nccl = add_nccl(*group, store, device_);
      watch_->on_failure([nccl] { nccl->abort(); });
    }
    groups_.push_back(std::make_unique<RankGroup>(group, *watch_));
  } catch (const std::exception& error) {
    watch_->explain(error.what());
  }
  return *groups_.back();
}

RankGroup& Ranks::part(int64_t size, const std::string& name) {
  return add_group(name + '/' + std::to_string(rank() / size), rank() % size, size);
}

void Ranks::require_equal(const std::string& what, const std::string& mine) {
  const std::string first = all().broadcast(mine);
  std::string difference;
  if (first != mine) {
    std::istringstream of_first(first), own(mine);
    std::string expected, got;
    do {
      if (!std::getline(of_first, expected)) expected = "nothing";
      if (!std::getline(own, got)) got = "nothing";
    } while (expected == got);
    difference = "rank " + std::to_string(rank()) + " on " + host(rank()) + ": " + what + ": expected " +
                 expected + " as rank 0 has, got " + got;
  }
  // All learn of the first that differs.
  torch::Tensor first_different = torch::tensor(difference.empty() ? count() : rank());
  for (const torch::Tensor& of_rank : all().gather(first_different))
    first_different = at::minimum(first_different, of_rank);
  const int64_t who = first_different.item<int64_t>();
  if (who == count()) return;
  const std::string key = "difference/" + what;
  if (who == rank()) store_->set(key, bytes(difference));
  store_->wait({key}, timeout_);
  throw RankError(text(store_->get(key)));
}

}  // namespace cosformer::train
