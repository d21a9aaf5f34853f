// Prints, for each file named, what the Khronos glTF validator has to say of it: a JSON list of its messages a line.
const fs = require("fs");
const validator = require("gltf-validator");

(async () => {
  for (const file of process.argv.slice(2)) {
    const report = await validator.validateBytes(new Uint8Array(fs.readFileSync(file)), { maxIssues: 20 });
    console.log(JSON.stringify(report.issues.messages));
  }
})();
