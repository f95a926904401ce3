function n = lost_of(record)
  % What a record says is missing right before it.
  n = 0;
  if isfield(record, 'lost') && ~isempty(record.lost)
    n = record.lost;
  end
end
