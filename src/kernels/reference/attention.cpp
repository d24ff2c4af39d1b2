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
void attention_state(const AttentionState<double>& args) {
  definition::state(args);
}
void attention_state_backward(const AttentionStateBackward<double>& args) {
  definition::state_backward(args);
}
void attention_read(const AttentionRead<double>& args) {
  definition::read(args);
}
void attention_read_backward(const AttentionReadBackward<double>& args) {
  definition::read_backward(args);
}

}  // namespace cosformer::reference
