import * as mintreu from 'mintreu-wasm';
import { runTampering } from './tamper.mjs';
import { runVectors } from './vectors.mjs';

runVectors(mintreu);
runTampering(mintreu);
