# Writes OUTPUT: the Python files of FOLDER as byte arrays, so that the worker needs no path to find its runtime.
# Usage: cmake -DFOLDER=python/dff -DFILES=a.py;b.py -DOUTPUT=file.cpp -P embed_python.cmake
set(content "#include \"worker/embedded_python.h\"\n\nnamespace funcgate::worker {\nnamespace {\n\n")
set(table "")
string(REPLACE "," ";" FILES "${FILES}")
foreach(file IN LISTS FILES)
  file(READ "${FOLDER}/${file}" hex HEX)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
  string(REGEX REPLACE "\\.py$" "" name "${file}")
  string(APPEND content "constexpr unsigned char k_${name}[] = {${bytes}0};\n")
  string(APPEND table "    {\"${name}\", {reinterpret_cast<const char*>(k_${name}), sizeof k_${name} - 1}},\n")
endforeach()
string(APPEND content "\n}  // namespace\n\nconst std::vector<EmbeddedModule>& embedded_modules() {\n"
  "  static const std::vector<EmbeddedModule> modules = {\n${table}  };\n  return modules;\n}\n\n}  // namespace funcgate::worker\n")
file(WRITE "${OUTPUT}" "${content}")
