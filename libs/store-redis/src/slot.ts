const CLUSTER_SLOTS = 16384;
const CRC16_POLYNOMIAL = 0x1021;

/** Redis Cluster's key slot: CRC16 (XMODEM) of the hash tag, or of the whole key without one (Redis Cluster specification, "Key distribution model"). */
export function slotOf(key: string): number {
  const open = key.indexOf('{');
  const close = open < 0 ? -1 : key.indexOf('}', open + 1);
  const hashed = close > open + 1 ? key.slice(open + 1, close) : key;
  let crc = 0;
  for (let i = 0; i < hashed.length; i += 1) {
    crc ^= (hashed.charCodeAt(i) & 0xff) << 8;
    for (let bit = 0; bit < 8; bit += 1) {
      crc = ((crc & 0x8000) === 0 ? crc << 1 : (crc << 1) ^ CRC16_POLYNOMIAL) & 0xffff;
    }
  }
  return crc % CLUSTER_SLOTS;
}
