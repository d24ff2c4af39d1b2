// As much of a driver for CUDA 12.8 as a runtime of CUDA 13 asks for before it refuses it.

extern "C" {

int cuInit(unsigned) {
  return 0;
}
int cuDriverGetVersion(int* version) {
  *version = 12080;
  return 0;
}
}
