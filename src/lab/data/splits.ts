/**
 * Records of MITDB by the split of de Chazal, O'Dwyer & Reilly (IEEE TBME 51:1196, 2004), which nearly all published
 * work on beat classes uses. The four records with pacemakers (102, 104, 107, 217) are in neither, as EC57 has it.
 */
export const MITDB_DS1 = [
  ...['101', '106', '108', '109', '112', '114', '115', '116', '118', '119', '122'],
  ...['124', '201', '203', '205', '207', '208', '209', '215', '220', '223', '230'],
] as const;

/**
 * The test half. Never used to train, calibrate, or choose anything. (201 in DS1 and 202 here are one patient, by the
 * database's own notes: a known blemish of the split.)
 */
export const MITDB_DS2 = [
  ...['100', '103', '105', '111', '113', '117', '121', '123', '200', '202', '210'],
  ...['212', '213', '214', '219', '221', '222', '228', '231', '232', '233', '234'],
] as const;

/** The supraventricular database's records; those present on the machine take part in training. */
export const SVDB = [
  ...['800', '801', '802', '803', '804', '805', '806', '807', '808', '809', '810', '811', '812', '820', '821', '822'],
  ...['823', '824', '825', '826', '827', '828', '829', '840', '841', '842', '843', '844', '845', '846', '847', '848'],
  ...['849', '850', '851', '852', '853', '854', '855', '856', '857', '858', '859', '860', '861', '862', '863', '864'],
  ...['865', '866', '867', '868', '869', '870', '871', '872', '873', '874', '875', '876', '877', '878', '879', '880'],
  ...['881', '882', '883', '884', '885', '886', '887', '888', '889', '890', '891', '892', '893', '894'],
] as const;
