#include "kernels/reference/definition.h"

namespace cosformer::reference {

void attention_forward(const AttentionForward<double>& args) {
  definition::forward(args);
}
void attention_backward(const AttentionBackward<double>& args) {
  definition::backward(args);
}
void attention_step(const AttentionStep<double>& args) {
  definition::step(args);
}

}  // namespace cosformer::reference
