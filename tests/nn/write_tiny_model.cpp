#include <exception>
#include <filesystem>
#include <iostream>

#include "cosformer/nn/model_folder.h"
#include "io/safetensors.h"
#include "nn/tiny_model.h"

/// write_tiny_model FOLDER ATTENTION POSITIONS FFN tied|untied: a model folder, and in it logits.safetensors
/// with tokens [B, T] and the logits [B, T, v] that the model gives them. For readers in other languages.
namespace cosformer::nn::test {
namespace {

io::TensorBytes bytes_of(const char* name, const char* dtype, const torch::Tensor& tensor) {
  return {name,
          dtype,
          tensor.sizes().vec(),
          {static_cast<const std::byte*>(tensor.const_data_ptr()), tensor.nbytes()}};
}

void write(const std::filesystem::path& folder, LanguageModelConfig config) {
  std::filesystem::create_directories(folder);
  LanguageModel model = tiny_model(config);
  save_config(config, folder);
  save_weights(*model, folder / "model.safetensors");
  const torch::NoGradGuard no_gradients;
  const torch::Tensor tokens = tiny_tokens(2, 23), logits = model->forward(tokens).contiguous();
  io::write_safetensors(folder / "logits.safetensors",
                        {bytes_of("tokens", "I64", tokens), bytes_of("logits", "F32", logits)});
}

}  // namespace
}  // namespace cosformer::nn::test

int main(int argc, char** argv) {
  if (argc != 6) {
    std::cerr << "write_tiny_model FOLDER ATTENTION POSITIONS FFN tied|untied\n";
    return 2;
  }
  try {
    auto config = cosformer::nn::test::tiny_config(argv[2], argv[3], argv[4]);
    config.tie_embeddings = argv[5] == std::string("tied");
    cosformer::nn::test::write(argv[1], config);
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
  return 0;
}
